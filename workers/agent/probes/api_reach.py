"""Does this node reach the API servers: the connection, then TLS, then any HTTP answer at all?

It is the way that is asked for: no certificate is verified, no credential is sent, and 401 proves as much as 200.
kube-proxy's own server comes first, since that is the way on which it depends.
"""

import asyncio
import os
import re
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec

from workers.agent import proxy
from workers.agent.dial import destination, dial
from workers.agent.host import Host, ProbeFailed
from workers.core.declare import Probe
from workers.core.evidence.reach import ApiAnswer, ApiAnswers, ApiReach

CONNECT, WHOLE = 1.5, 2.5  # seconds: for the connection, and for all of it
MOST_ADDRESSES = 16
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


class Way(msgspec.Struct, frozen=True):
    """One address to try. trusted: from the node's own files, so that it may be on loopback or a name."""

    host: str
    port: int
    tls: bool = True
    trusted: bool = False

    @property
    def shown(self) -> str:
        """`ip:port`, as it is answered."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def take(query: ApiReach, host: Host) -> ApiAnswers:
    """One answer per address, all tried at once. Raises ProbeFailed for an address that is none or not allowed."""
    if len(query.addresses) > MOST_ADDRESSES:
        raise ProbeFailed(f"more than {MOST_ADDRESSES} addresses were asked for")
    ways = [_way(f"https://{address}") for address in query.addresses]
    for way in ways:
        destination(way.host, way.port)
    process = await asyncio.to_thread(proxy.find, host.proc)
    told = await asyncio.to_thread(proxy.told, host.proc, process) if process else proxy.Told()
    if told.server:
        own = msgspec.structs.replace(_way(told.server), trusted=True)
        ways = [own, *(way for way in ways if way.shown != own.shown)]
    return ApiAnswers(tuple(await asyncio.gather(*(reach(way) for way in ways))))


def _way(url: str) -> Way:
    try:
        parts = urlsplit(url)
        port = 443 if parts.port is None else parts.port
        return Way(host=parts.hostname or "", port=port, tls=parts.scheme == "https")
    except ValueError as error:
        raise ProbeFailed(f"{url[:100]!r} is not an address") from error


class Attempt:
    """One try; `answer` says at any moment how far it came, so that running out of time loses nothing."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.answer = ApiAnswer(address=way.shown, tcp="timeout", detail="no answer in time")

    def so_far(self, **changes: Any) -> None:
        """It came a step further, or ended."""
        self.answer = msgspec.structs.replace(self.answer, **changes)

    async def run(self) -> None:
        """The whole way. Raises TimeoutError, OSError or ProbeFailed where it ends early."""
        address = await _resolved(self.way)
        reached, sock = await dial(address, self.way.port, CONNECT)
        if sock is None:
            detail = os.strerror(reached.errno) if reached.errno else "no answer in time"
            self.so_far(tcp=reached.state, detail=detail)
            return
        self.so_far(tcp="open", detail="no answer after the connection was made")
        reader, writer = await asyncio.open_connection(sock=sock)
        try:
            if self.way.tls:
                await writer.start_tls(_any_certificate(), server_hostname=self.way.host)
                self.so_far(tls=True, detail="no answer after the TLS handshake")
            writer.write(f"GET /livez HTTP/1.1\r\nHost: {self.way.shown}\r\nConnection: close\r\n\r\n".encode("ascii"))
            line = await reader.readline()
        finally:
            writer.transport.abort()
        status = STATUS.match(line)
        if status:
            self.so_far(status=int(status[1]), detail="")
        else:
            self.so_far(detail="the answer is not HTTP" if line else "closed without an answer")


async def reach(way: Way) -> ApiAnswer:
    """How far one connection comes."""
    begun = time.monotonic()
    attempt = Attempt(way)
    try:
        async with asyncio.timeout(WHOLE):
            await attempt.run()
    except TimeoutError:
        pass  # the answer says how far it came
    except (OSError, ValueError, ProbeFailed) as error:  # ssl.SSLError is an OSError
        opened = attempt.answer.tcp == "open"
        attempt.so_far(tcp="open" if opened else "error", detail=str(error)[:200])
    attempt.so_far(took=round(time.monotonic() - begun, 6))
    return attempt.answer


async def _resolved(way: Way) -> str:
    if not way.trusted:
        return destination(way.host, way.port)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(way.host, way.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise ProbeFailed(f"the node cannot resolve {way.host}: {error.strerror}") from error
    return destination(str(found[0][4][0]), way.port, loopback=True)


def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


PROBE = Probe(ApiReach, take, klass="load")
