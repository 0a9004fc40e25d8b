"""What does the kernel really do with a connection from here to there? Asked by opening one."""

import asyncio
import errno
import http.client
from concurrent.futures import ThreadPoolExecutor

from tests.lab import probes

WORDS = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.ETIMEDOUT: "timeout",
    errno.EADDRNOTAVAIL: "no port",
}


class Truth:
    """Connections from one machine's network."""

    def __init__(self, namespace: str) -> None:
        self._threads: ThreadPoolExecutor = probes.executor(namespace)

    async def get(self, address: str, port: int, *, limit: float = 1.0, size: int = 0) -> str:
        """What `GET /` gets: the status as text, `refused`, `timeout`, `unreachable`, `no port` (none is left to
        connect from), or the error's name. size: bytes of padding that make the request longer.
        """
        # A plain future: this may be asked from one event loop now and from another one later.
        return await asyncio.wrap_future(self._threads.submit(_get, address, port, limit, size))

    def close(self) -> None:
        """End the threads, so that nothing holds on to the network."""
        self._threads.shutdown()


def _get(address: str, port: int, limit: float, size: int) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=limit)
    try:
        connection.request("GET", "/", headers={"X-Padding": "x" * size} if size else {})
        return str(connection.getresponse().status)
    except TimeoutError:
        return "timeout"
    except (OSError, http.client.HTTPException) as error:
        return WORDS.get(getattr(error, "errno", 0), type(error).__name__)
    finally:
        connection.close()
