"""Where probes may go, and what they say of the way: on loopback, which only the node's own files may name."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.agent.conftest import NOW
from tests.agent.test_proxy import FakeProc
from workers.agent.dial import destination, dial
from workers.agent.host import Host, ProbeFailed
from workers.agent.identity import Identity
from workers.agent.probes import api_reach, connect, kube_proxy_process
from workers.core.evidence.reach import ApiAnswer, ApiReach, Connect


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "240.0.0.1",
        "255.255.255.255",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "metadata.google.internal",
        "10.0.0.1:80",
        "2130706433",
        "010.0.0.1",
        "",
    ],
)
def test_probes_do_not_go_there(host: str) -> None:
    """Loopback, link-local, multicast, reserved, metadata services, names, and other spellings of them."""
    with pytest.raises(ProbeFailed):
        destination(host, 80)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_are_ports(port: int) -> None:
    """From 1 to 65535."""
    with pytest.raises(ProbeFailed):
        destination("10.0.0.1", port)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "172.30.0.11", "192.168.1.1", "203.0.113.9", "8.8.8.8", "fd00::1", "2001:db8::1"]
)
def test_probes_go_to_addresses_of_a_cluster(host: str) -> None:
    """Private and public, both families."""
    assert destination(host, 30080) == host


def test_a_nodes_own_files_may_name_loopback() -> None:
    """An API server behind a local proxy; but no other forbidden place."""
    assert destination("127.0.0.1", 6443, loopback=True) == "127.0.0.1"
    with pytest.raises(ProbeFailed):
        destination("169.254.169.254", 80, loopback=True)


async def test_connect_refuses_before_it_sends_anything() -> None:
    """The probe itself checks its destination."""
    with pytest.raises(ProbeFailed, match="loopback"):
        await connect.take(Connect(node="n", host="127.0.0.1", port=80), Host())


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler, *, tls: bool = False) -> AsyncIterator[int]:
    """A server on a free port."""
    context = Identity("node-1", now=NOW).ssl_context() if tls else None
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


async def unauthorized(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As an API server answers a stranger."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """It reads, and says nothing."""
    await reader.read()
    writer.close()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """It closes without a word."""
    del reader
    writer.close()


async def chats(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """It speaks something else."""
    del reader
    writer.write(b"hello\n")
    writer.close()


def a_port_where_nobody_listens() -> int:
    """It was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_dial_tells_open_from_refused() -> None:
    """With the source address, and with the kernel's number."""
    async with listening(hangs_up) as port:
        reached, sock = await dial("127.0.0.1", port, 1.0)
        assert sock
        sock.close()
    assert (reached.state, reached.source, reached.errno) == ("open", "127.0.0.1", 0)
    reached, sock = await dial("127.0.0.1", a_port_where_nobody_listens(), 1.0)
    assert (reached.state, reached.errno, sock) == ("refused", 111, None)


async def test_dial_gives_up_in_time() -> None:
    """A full backlog drops connections, as a DROP rule does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        held = [await dial("127.0.0.1", port, 0.2) for _ in range(3)]
        states = [reached.state for reached, _ in held]
        for _, sock in held:
            if sock:
                sock.close()
    assert states[-1] == "timeout"


async def way(handler: Handler, *, serves_tls: bool = True, tls: bool = True, host: str = "127.0.0.1") -> ApiAnswer:
    """How far one comes to a server."""
    async with listening(handler, tls=serves_tls) as port:
        return await api_reach.reach(api_reach.Way(host, port, tls=tls, trusted=True))


async def test_any_status_proves_the_way() -> None:
    """401 is an answer; the certificate is not looked at; a name is resolved."""
    for host in ("127.0.0.1", "localhost"):
        answer = await way(unauthorized, host=host)
        assert (answer.tcp, answer.tls, answer.status, answer.detail) == ("open", True, 401, "")
        assert answer.address.startswith(host)
        assert answer.took > 0


async def test_plain_http_is_a_way_too() -> None:
    """If that is what kube-proxy uses."""
    answer = await way(unauthorized, serves_tls=False, tls=False)
    assert (answer.tcp, answer.tls, answer.status) == ("open", False, 401)


@pytest.mark.parametrize(
    ("handler", "serves_tls", "tls", "detail"),
    [
        (silent, True, True, "no answer after the TLS handshake"),
        (silent, False, True, "no answer after the connection was made"),
        (hangs_up, True, True, "closed without an answer"),
        (chats, True, True, "the answer is not HTTP"),
        (chats, False, True, ""),
    ],
)
async def test_how_far_it_came(
    handler: Handler, serves_tls: bool, tls: bool, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection stands; what came after it is said, also when time runs out."""
    monkeypatch.setattr(api_reach, "WHOLE", 0.5)
    answer = await way(handler, serves_tls=serves_tls, tls=tls)
    assert (answer.tcp, answer.tls, answer.status) == ("open", serves_tls, 0)
    assert detail in answer.detail
    assert answer.detail


async def test_nobody_listens_there() -> None:
    """Refused, in the kernel's words."""
    answer = await api_reach.reach(api_reach.Way("127.0.0.1", a_port_where_nobody_listens(), trusted=True))
    assert (answer.tcp, answer.tls, answer.detail) == ("refused", False, "Connection refused")


async def test_a_name_that_does_not_resolve() -> None:
    """Is an error, and says which name."""
    answer = await api_reach.reach(api_reach.Way("no-such-host.invalid", 6443, trusted=True))
    assert (answer.tcp, "no-such-host.invalid" in answer.detail or "no answer" in answer.detail) == ("error", True)


async def test_kube_proxys_own_server_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then what was asked for, without doing it twice."""
    monkeypatch.setattr(api_reach, "CONNECT", 0.1)
    proc = FakeProc(tmp_path / "proc")
    proc.process(5, ["kube-proxy", "--master=https://192.0.2.1:6443"])
    query = ApiReach(node="n", addresses=("192.0.2.2:6443", "192.0.2.1:6443", "[2001:db8::1]:6443"))
    answers = (await api_reach.take(query, Host(proc=proc.path))).answers
    assert [answer.address for answer in answers] == ["192.0.2.1:6443", "192.0.2.2:6443", "[2001:db8::1]:6443"]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:80", "169.254.169.254:80", "api.example:6443", "", "10.0.0.1:x", "10.0.0.1:0", "[::1]:1", "["],
)
async def test_a_caller_cannot_send_it_anywhere(tmp_path: Path, address: str) -> None:
    """The same rules as for connect, before any traffic."""
    with pytest.raises(ProbeFailed):
        await api_reach.take(ApiReach(node="n", addresses=(address,)), Host(proc=FakeProc(tmp_path / "proc").path))


async def test_a_caller_cannot_send_it_to_many(tmp_path: Path) -> None:
    """Clusters have a handful of API servers."""
    addresses = tuple(f"10.0.0.{number}:6443" for number in range(1, 18))
    with pytest.raises(ProbeFailed, match="more than 16"):
        await api_reach.take(ApiReach(node="n", addresses=addresses), Host(proc=FakeProc(tmp_path / "proc").path))


async def ask(handler: Handler, path: str = "/healthz") -> tuple[str, int, str]:
    """State, status and text of one GET."""
    async with listening(handler) as port, aiohttp.ClientSession() as session:
        answer, text = await kube_proxy_process.ask(session, ("127.0.0.1", port), path)
    return answer.state, answer.status, text


async def test_what_a_local_endpoint_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answered whatever the status; accepted and never answered; or nonsense."""
    monkeypatch.setattr(kube_proxy_process, "PATIENCE", 0.2)
    assert await ask(unauthorized) == ("answered", 401, "")
    assert await ask(silent) == ("timeout", 0, "")
    assert (await ask(hangs_up))[0] == "error"
    assert (await ask(chats))[0] == "error"
    async with aiohttp.ClientSession() as session:
        answer, _ = await kube_proxy_process.ask(session, ("127.0.0.1", a_port_where_nobody_listens()), "/")
    assert answer.state == "refused"


async def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else may listen on that port."""
    monkeypatch.setattr(kube_proxy_process, "MOST", 100_000)

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            for _ in range(10_000):
                writer.write(b"x" * 10_000)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    state, _, text = await ask(endless)
    assert (state, len(text)) == ("answered", 100_000)
