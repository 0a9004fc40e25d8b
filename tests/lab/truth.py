"""What does the kernel really do with a packet from here to there? Asked by sending one, and by looking after it."""

import asyncio
import contextlib
import dataclasses
import errno
import http.client
import re
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

from tests.lab import probes
from tests.lab.nodes import Machine

WORDS = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EACCES: "unreachable",  # what a socket makes of ICMP `administratively prohibited`
    errno.ETIMEDOUT: "timeout",
    errno.EADDRNOTAVAIL: "no port",
}
THREADS = 24  # most of them wait for what never comes
NEW = re.compile(r"\[NEW\] (tcp|udp) (.*)")
PAIR = re.compile(r"\b(src|dst|sport|dport)=(\S+)")
# xtables-monitor prints the rule as iptables-save does, behind table, chain, place and verdict.
TRACED = re.compile(r"\s*TRACE: \d+ \w+ (?P<table>\w+):(?P<chain>\S+?):(?P<kind>rule|return|policy):(?P<rest>.*)")
RULE = re.compile(r"(?P<place>0x[0-9a-f]+):(?P<verdict>[^ ]+)\s+(?:-4 )?(?:-t \w+ )?(?P<rule>-A .*)")
LISTEN_SECONDS, LAG = 60, 0.25


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back. what: `accepted` (TCP), `answered` (UDP), `refused`, `timeout` (TCP), `silent` (UDP),
    `unreachable`, or the error's name. by: the pod that says it answers; empty when it says nothing.
    """

    what: str
    by: str = ""

    @property
    def came(self) -> bool:
        """Somebody at the other end has it."""
        return self.what in {"accepted", "answered"}


@dataclasses.dataclass(frozen=True)
class Entry:
    """What conntrack keeps of a connection: as it was asked for, and whence the answer comes, and to whom."""

    protocol: str
    source: str
    source_port: int
    destination: str
    port: int
    endpoint: str  # `ip:port`: who answers, the destination after DNAT
    answered_to: str  # `ip:port`: the source after masquerading


@dataclasses.dataclass(frozen=True)
class Hit:
    """A rule that a traced packet met. verdict: `ACCEPT`, `JUMP:CHAIN`, `CONTINUE`, ..."""

    table: str
    chain: str
    verdict: str
    rule: str


class Truth:
    """Connections from one machine's network."""

    def __init__(self, namespace: str) -> None:
        self._threads: ThreadPoolExecutor = probes.executor(namespace, THREADS)

    async def get(self, address: str, port: int, *, limit: float = 1.0, size: int = 0) -> str:
        """What `GET /` gets: the status as text, `refused`, `timeout`, `unreachable`, `no port` (none is left to
        connect from), or the error's name. size: bytes of padding that make the request longer.
        """
        # A plain future: this may be asked from one event loop now and from another one later.
        return await asyncio.wrap_future(self._threads.submit(_get, address, port, limit, size))

    async def ask(self, protocol: str, address: str, port: int, source_port: int, *, limit: float = 1.0) -> Answer:
        """What becomes of one connection (`tcp`) or one datagram (`udp`) from that source port."""
        how: Callable[[str, int, int, float], Answer] = _connect if protocol == "tcp" else _send
        return await asyncio.wrap_future(self._threads.submit(how, address, port, source_port, limit))

    async def source(self, address: str) -> str:
        """From which address the kernel sends to that one, before any rule is asked. Raises OSError: from none."""
        return await asyncio.wrap_future(self._threads.submit(_source, address))

    def close(self) -> None:
        """End the threads, so that nothing holds on to the network."""
        self._threads.shutdown()


@contextlib.asynccontextmanager
async def noted(machine: Machine) -> AsyncIterator[dict[tuple[str, str, int], Entry]]:
    """What a machine's conntrack notes meanwhile: (protocol, destination as asked for, source port) -> entry.

    The dict is filled when the block is left. Events, not a listing: an entry whose only reply is a RST is deleted at
    once. An entry is noted when its packet has come through all rules of the machine, with one exception: a packet
    from the machine to itself is noted before it meets the rules of INPUT.
    """
    found: dict[tuple[str, str, int], Entry] = {}
    async with _listening(machine, "conntrack", "-E", "-e", "NEW", "-b", "8388608") as said:
        yield found
    for protocol, rest in NEW.findall(said.decode(errors="replace")):
        pairs = [value for _, value in PAIR.findall(rest)]
        if len(pairs) == 8:  # four of the question, four of the answer
            entry = _entry(protocol, pairs)
            found[protocol, entry.destination, entry.source_port] = entry


@contextlib.asynccontextmanager
async def _listening(machine: Machine, *argv: str) -> AsyncIterator[bytearray]:
    """What a command of that machine's network prints meanwhile; it ends by itself after some time in any case."""
    process = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", machine.name, "timeout", str(LISTEN_SECONDS), *argv,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    said = bytearray()
    reading = asyncio.create_task(process.communicate())
    try:
        await asyncio.sleep(LAG)  # it does not say when it listens
        yield said
        await asyncio.sleep(LAG)  # nor that it has heard everything
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        said.extend((await reading)[0])


def _entry(protocol: str, pairs: list[str]) -> Entry:
    source, destination, source_port, port, whence, whither, whence_port, whither_port = pairs
    return Entry(
        protocol,
        source,
        int(source_port),
        destination,
        int(port),
        f"{whence}:{whence_port}",
        f"{whither}:{whither_port}",
    )


@contextlib.asynccontextmanager
async def trace(machine: Machine, protocol: str, source_port: int) -> AsyncIterator[list[Hit]]:
    """The rules that packets from that source port meet on a machine with iptables over nft.

    The list is filled when the block is left. The table that asks for the trace goes away with the block.
    """
    table = f"netdiag-trace-{source_port}"
    wanted = f"{protocol} sport {source_port} meta nftrace set 1"
    lines = [f"add table ip {table}"]
    for hook in ("prerouting", "output"):
        lines += [
            f"add chain ip {table} {hook} {{ type filter hook {hook} priority -350; }}",
            f"add rule ip {table} {hook} {wanted}",
        ]
    hits: list[Hit] = []
    async with _listening(machine, "stdbuf", "-oL", "xtables-monitor", "--trace") as said:
        try:
            await machine.exec("nft", "\n".join(lines))
            yield hits
            await asyncio.sleep(LAG)  # the packet may still be under way
        finally:
            await machine.exec("nft", f"delete table ip {table}")
    hits.extend(traced(said.decode(errors="replace")))


def traced(text: str) -> list[Hit]:
    """The rules of a connection's first packet as xtables-monitor tells of them, in their order.

    It ends where a packet acknowledges something. The id that the kernel gives a packet is no help: it is another one
    behind a bridge, and comes again with later packets.
    """
    found: list[Hit] = []
    for line in text.splitlines():
        if line.startswith("PACKET:") and " ACK" in line:
            break
        match = TRACED.match(line)
        rule = match and RULE.match(match["rest"])
        if match and rule:
            found.append(Hit(match["table"], match["chain"], rule["verdict"], rule["rule"].strip()))
        elif match and match["kind"] == "policy":
            found.append(Hit(match["table"], match["chain"], match["rest"].split()[0], ""))
    return found


def _word(error: Exception) -> str:
    return WORDS.get(getattr(error, "errno", None) or 0, type(error).__name__)


def _get(address: str, port: int, limit: float, size: int) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=limit)
    try:
        connection.request("GET", "/", headers={"X-Padding": "x" * size} if size else {})
        return str(connection.getresponse().status)
    except TimeoutError:
        return "timeout"
    except (OSError, http.client.HTTPException) as error:
        return _word(error)
    finally:
        connection.close()


def _connect(address: str, port: int, source_port: int, limit: float) -> Answer:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(limit)
        try:
            sock.bind(("", source_port))
            sock.connect((address, port))
        except TimeoutError:
            return Answer("timeout")
        except OSError as error:
            return Answer(_word(error))
        try:
            sock.settimeout(2)  # the connection stands; who answers may be busy
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            reply = http.client.HTTPResponse(sock)
            reply.begin()
            return Answer("accepted", reply.read(300).decode(errors="replace").strip())
        except (OSError, http.client.HTTPException):
            return Answer("accepted")


def _send(address: str, port: int, source_port: int, limit: float) -> Answer:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(limit)
        try:
            sock.bind(("", source_port))
            sock.connect((address, port))
            sock.send(b"who\n")
            return Answer("answered", sock.recv(300).decode(errors="replace").strip())
        except TimeoutError:
            return Answer("silent")
        except OSError as error:
            return Answer(_word(error))


def _source(address: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, 9))  # a datagram socket's connect only looks up the route
        name: str = sock.getsockname()[0]
        return name
