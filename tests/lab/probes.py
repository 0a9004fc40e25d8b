"""Is a container alive, ready, started? Asked as a kubelet asks: from the node's network by HTTP or TCP, or by a
command in the container.
"""

import asyncio
import ctypes
import http.client
import os
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
Answer = tuple[bool, str]  # well, and what was said
Run = Callable[[list[str], float], Awaitable[Answer]]  # a command in the container, within seconds


class Tally:
    """Counts answers of one probe: which verdict do they make?"""

    def __init__(self, probe: dict[str, Any]) -> None:
        self._wanted = {True: probe.get("successThreshold", 1), False: probe.get("failureThreshold", 3)}
        self._last: bool | None = None
        self._times = 0

    def add(self, answer: bool) -> bool | None:
        """The verdict, when there have been as many equal answers in a row as the probe wants; else None."""
        self._times = self._times + 1 if answer == self._last else 1
        self._last = answer
        return answer if self._times >= self._wanted[answer] else None


def executor(namespace: str, workers: int = 4) -> ThreadPoolExecutor:
    """Threads that live in a network namespace: a socket belongs to the one it is made in."""
    return ThreadPoolExecutor(max_workers=workers, initializer=_join, initargs=(namespace,))


def _join(namespace: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", namespace).open() as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


async def ask(
    threads: ThreadPoolExecutor, probe: dict[str, Any], container: dict[str, Any], address: str, run: Run
) -> Answer:
    """One try of a probe. Raises ValueError for a kind of probe that is not known here."""
    limit = probe.get("timeoutSeconds", 1)
    if "exec" in probe:
        return await run(probe["exec"]["command"], limit)
    if "httpGet" in probe:
        method, how = _http, probe["httpGet"]
    elif "tcpSocket" in probe:
        method, how = _tcp, probe["tcpSocket"]
    else:
        raise ValueError("only httpGet, tcpSocket and exec probes are known here")
    host, port = how.get("host") or address, _port(how["port"], container)
    return await asyncio.get_running_loop().run_in_executor(threads, method, host, port, how, limit)


def _tcp(host: str, port: int, _how: dict[str, Any], limit: float) -> Answer:
    try:
        socket.create_connection((host, port), limit).close()
    except OSError as error:
        return False, f"dial tcp {host}:{port}: {_why(error)}"
    return True, ""


def _http(host: str, port: int, how: dict[str, Any], limit: float) -> Answer:
    path = how.get("path", "/")
    connection = http.client.HTTPConnection(host, port, timeout=limit)
    try:
        connection.request("GET", path, headers={"User-Agent": "kube-probe/1.37"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return False, f'Get "http://{host}:{port}{path}": {_why(error)}'
    finally:
        connection.close()
    return 200 <= status < 400, f"HTTP probe failed with statuscode: {status}"


def _why(error: Exception) -> str:
    """In the words of Go's net package, which are what an event of a kubelet has."""
    if isinstance(error, TimeoutError):
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    return str(error)


def _port(port: int | str, container: dict[str, Any]) -> int:
    if isinstance(port, int):
        return port
    ports = {item.get("name"): item["containerPort"] for item in container.get("ports", ())}
    return int(ports[port])
