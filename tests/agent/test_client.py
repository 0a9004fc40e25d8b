"""What a worker believes of what comes back from a node."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.agent.conftest import NODE, NOW, UID, Clock, Running, Start
from workers.agent.host import ProbeFailed
from workers.agent.identity import Identity
from workers.collect.nodes import AgentClient
from workers.core.agents import KEY, SIGNATURE, AgentCard, card_from_json
from workers.core.errors import NotTrusted
from workers.core.evidence.reach import Connect, Reached
from workers.core.query import Seen
from workers.core.tokens import Signer, answer_bytes

QUERY = Connect(node=NODE, host="10.0.0.1", port=80)


async def answer(query: Any, host: Any) -> Reached:
    """A probe that looks nowhere."""
    del host
    return Reached(host=query.host, port=query.port, state="open", took=0.001)


async def ask(running: Running, query: Connect = QUERY, card: AgentCard | None = None, **changes: Any) -> Seen[Reached]:
    """One question to a running agent."""
    client = running.client(**changes)
    try:
        return await client.ask(query, address="127.0.0.1", card=card or running.card)
    finally:
        await client.close()


def reason(seen: Seen[Any]) -> str:
    """Why there is no value."""
    assert seen.value is None
    assert seen.missing
    assert seen.missing.detail
    return seen.missing.reason


async def test_a_value_comes_with_where_and_when(start: Start) -> None:
    """Source, node, the caller's clock and the time that it took."""
    seen = await ask(await start(take={"connect": answer}))
    assert seen.value == Reached(host="10.0.0.1", port=80, state="open", took=0.001)
    assert (seen.source, seen.node, seen.at, seen.missing) == ("agent", NODE, NOW, None)
    assert 0 < seen.took < 5


async def test_one_client_asks_the_same_thing_often(start: Start) -> None:
    """Each question has its own nonce, so none is a replay of another, in whatever order."""
    running = await start(take={"connect": answer})
    client = running.client(concurrency=4)
    try:
        seen = await asyncio.gather(*(client.ask(QUERY, address="127.0.0.1", card=running.card) for _ in range(12)))
    finally:
        await client.close()
    assert all(one.value for one in seen)


@pytest.mark.parametrize("skew", [-60.0, 60.0])
async def test_clock_skew_is_its_own_reason(start: Start, skew: float) -> None:
    """And says what the agent's clock shows."""
    running = await start(take={"connect": answer})
    running.clock.now += skew
    seen = await ask(running, clock=Clock(NOW))
    assert reason(seen) == "clock-skew"
    assert seen.missing
    assert f"the clock of node-1 is at {NOW + skew:.0f}" in seen.missing.detail


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cert_sha256": "00" * 32}, "not-trusted"),
        ({"cert_sha256": "no"}, "not-trusted"),
        ({"cert_sha256": "00"}, "not-trusted"),
        ({"key": "AAAA"}, "not-trusted"),
        ({"key": "!"}, "not-trusted"),
        ({"kid": "0123456789abcdef"}, "not-trusted"),
        ({"node": "node-2"}, "not-trusted"),
        ({"node_uid": "another"}, "refused"),
        ({"port": 1}, "unreachable"),
    ],
)
async def test_a_card_that_does_not_fit(start: Start, changes: dict[str, Any], expected: str) -> None:
    """Another certificate, key, node or port than the agent's."""
    running = await start(take={"connect": answer})
    assert reason(await ask(running, card=msgspec.structs.replace(running.card, **changes))) == expected


async def test_an_older_agents_card_is_not_trusted(start: Start) -> None:
    """An agent that started again has other keys; until its new card is read, its answers prove nothing."""
    running = await start(take={"connect": answer})
    old = Identity(NODE, now=NOW).card(node_uid=UID, address="127.0.0.1", port=running.card.port, release="0")
    assert reason(await ask(running, card=old)) == "not-trusted"


async def test_a_refusal_keeps_its_sentence(start: Start) -> None:
    """What the probe could not do is told in its own words."""

    async def fail(query: Any, host: Any) -> Reached:
        del query, host
        raise ProbeFailed("neither iptables-nft-save nor iptables-legacy-save is installed")

    seen = await ask(await start(take={"connect": fail}))
    assert reason(seen) == "refused"
    assert seen.missing
    assert seen.missing.detail.startswith("neither iptables-nft-save")


async def test_an_unknown_caller_is_refused(start: Start) -> None:
    """The agent's words reach the caller."""
    running = await start(take={"connect": answer})
    assert reason(await ask(running, signer=Signer(Ed25519PrivateKey.generate()))) == "refused"


async def test_a_probes_timeout_is_a_timeout(start: Start) -> None:
    """The agent answered, its look did not end."""

    async def slow(query: Any, host: Any) -> Reached:
        await asyncio.sleep(30)
        return await answer(query, host)

    assert reason(await ask(await start(take={"connect": slow}, changes={"timeout": 0.05}))) == "timeout"


async def test_an_agent_that_is_not_ready(start: Start) -> None:
    """Its sentence says why."""
    running = await start(ready=False)
    seen = await ask(running)
    assert reason(seen) == "refused"
    assert seen.missing
    assert "uid" in seen.missing.detail


async def test_a_port_override_wins(start: Start) -> None:
    """For a tunnel in front of the agents."""
    running = await start(take={"connect": answer})
    card = msgspec.structs.replace(running.card, port=1)
    assert (await ask(running, card=card, port_override=running.card.port)).value


@pytest.mark.parametrize("address", ["", "not an address", "256.256.256.256"])
async def test_an_address_that_is_none(start: Start, address: str) -> None:
    """A card with nonsense in it must not end the run."""
    running = await start()
    client = running.client(deadline=3.0)
    try:
        assert reason(await client.ask(QUERY, address=address, card=running.card)) in {"unreachable", "timeout"}
    finally:
        await client.close()


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def impostor(handler: Handler) -> AsyncIterator[tuple[AgentCard, Identity]]:
    """A server with an agent's identity that answers as `handler` likes."""
    identity = Identity(NODE, now=NOW)
    app = web.Application()
    app.router.add_post("/v1/probe", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=identity.ssl_context())
        await site.start()
        port = runner.addresses[0][1]
        yield identity.card(node_uid=UID, address="127.0.0.1", port=port, release="0"), identity
    finally:
        await runner.cleanup()


async def ask_impostor(respond: Callable[[Identity, str], web.Response]) -> Seen[Reached]:
    """One question to a server that answers `respond(identity, nonce)`."""
    held: list[Identity] = []

    async def handler(request: web.Request) -> web.Response:
        return respond(held[0], (await request.json())["nonce"])

    async with impostor(handler) as (card, identity):
        held.append(identity)
        client = AgentClient(Signer(Ed25519PrivateKey.generate()), clock=lambda: NOW)
        try:
            return await client.ask(QUERY, address="127.0.0.1", card=card)
        finally:
            await client.close()


def signed(identity: Identity, nonce: str, body: bytes, sent: bytes | None = None, node: str = UID) -> web.Response:
    """A response whose signature is over `body`; `sent` goes out."""
    signature = identity.signer.sign(answer_bytes(nonce, node, body))
    return web.Response(body=body if sent is None else sent, headers={SIGNATURE: signature, KEY: identity.signer.kid})


GOOD = msgspec.json.encode({"answer": Reached(host="10.0.0.1", port=80, state="refused")})
LIE = GOOD.replace(b"refused", b"open")


async def test_the_impostor_itself_is_believed_when_it_signs_well() -> None:
    """The cases below fail for their own reason only."""
    seen = await ask_impostor(lambda identity, nonce: signed(identity, nonce, GOOD))
    assert seen.value
    assert seen.value.state == "refused"


@pytest.mark.parametrize(
    ("respond", "expected"),
    [
        (lambda i, n: signed(i, n, GOOD, LIE), "not-trusted"),
        (lambda i, n: signed(i, n + "x", GOOD), "not-trusted"),
        (lambda i, n: signed(i, n, GOOD, node="another"), "not-trusted"),
        (lambda i, n: signed(Identity(i.node, now=NOW), n, GOOD), "not-trusted"),
        (lambda _i, _n: web.Response(body=GOOD), "not-trusted"),
        (lambda i, _n: web.Response(body=GOOD, headers={SIGNATURE: "?", KEY: i.signer.kid}), "not-trusted"),
        (lambda i, n: signed(i, n, b"{}", b'{"error":"failed"}'), "not-trusted"),
        (lambda i, n: signed(i, n, b'{"answer":{"state":"perhaps"}}'), "unreadable"),
        (lambda i, n: signed(i, n, b'{"answer":[]}'), "unreadable"),
        (lambda i, n: signed(i, n, b"<html>"), "unreadable"),
        (lambda i, n: signed(i, n, b"\xff\xfe"), "unreadable"),
        (lambda i, n: signed(i, n, b"[" * 100_000), "unreadable"),
        (lambda i, n: signed(i, n, b'{"answer":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "unreadable"),
        (lambda i, n: signed(i, n, b" " * (2 << 20)), "unreadable"),
        (lambda i, n: signed(i, n, b"{}"), "refused"),
        (lambda _i, _n: web.Response(status=307, headers={"Location": "https://127.0.0.1:1/"}), "unreadable"),
        (lambda _i, _n: web.json_response({"error": "busy", "detail": "x" * 10_000}, status=503), "refused"),
    ],
)
async def test_an_answer_that_proves_nothing(respond: Callable[[Identity, str], web.Response], expected: str) -> None:
    """Altered, for another question, by another key, unsigned, or not an answer at all."""
    seen = await ask_impostor(respond)
    assert reason(seen) == expected
    assert seen.missing
    assert len(seen.missing.detail) <= 300


async def test_a_silent_agent_is_a_timeout() -> None:
    """It accepts the connection, as a stopped process does, and never answers."""

    async def silent(request: web.Request) -> web.Response:
        del request
        await asyncio.sleep(30)
        return web.Response()

    async with impostor(silent) as (card, _):
        client = AgentClient(Signer(Ed25519PrivateKey.generate()), clock=lambda: NOW, deadline=0.3)
        try:
            seen = await client.ask(QUERY, address="127.0.0.1", card=card)
        finally:
            await client.close()
    assert (reason(seen), 0.2 < seen.took < 2) == ("timeout", True)


async def test_an_agent_that_only_accepts_is_a_timeout() -> None:
    """Not even the TLS handshake comes to an end."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    card = Identity(NODE, now=NOW).card(
        node_uid=UID, address="127.0.0.1", port=server.sockets[0].getsockname()[1], release="0"
    )
    client = AgentClient(Signer(Ed25519PrivateKey.generate()), clock=lambda: NOW, deadline=0.3)
    try:
        assert reason(await client.ask(QUERY, address="127.0.0.1", card=card)) == "timeout"
    finally:
        await client.close()
        for writer in held:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n"])
async def test_something_else_on_the_port(said: bytes) -> None:
    """A server that hangs up, or speaks something else than TLS."""

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    card = Identity(NODE, now=NOW).card(
        node_uid=UID, address="127.0.0.1", port=server.sockets[0].getsockname()[1], release="0"
    )
    client = AgentClient(Signer(Ed25519PrivateKey.generate()), clock=lambda: NOW, deadline=3)
    try:
        assert reason(await client.ask(QUERY, address="127.0.0.1", card=card)) in {"unreachable", "unreadable"}
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


async def test_a_plain_certificate_swap_is_not_trusted(start: Start) -> None:
    """A machine in the middle has another certificate, and is found out before the token is sent."""
    seen: list[web.Request] = []

    async def record(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response()

    running = await start(take={"connect": answer})
    async with impostor(record) as (other, _):
        card = msgspec.structs.replace(running.card, port=other.port)
        assert reason(await ask(running, card=card)) == "not-trusted"
    assert not seen


def test_a_card_survives_its_json() -> None:
    """What is published is what is read; anything else is not trusted."""
    card = Identity(NODE, now=NOW).card(node_uid=UID, address="10.0.0.1", port=9733, release="0")
    assert card_from_json(msgspec.json.encode(card)) == card
    for text in (b"{}", b"", b"[]", b"\xff"):
        with pytest.raises(NotTrusted):
            card_from_json(text)


def test_the_tls_key_is_never_a_file() -> None:
    """It is loaded through a name in memory; the context works, and nothing is left open."""
    context = Identity(NODE, now=NOW).ssl_context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
