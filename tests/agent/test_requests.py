"""What an agent lets in, and what it refuses."""

import asyncio
import ssl
from typing import Any

import aiohttp
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.agent.conftest import UID, Running, Start
from workers.agent.limits import Rate, Turns
from workers.core.agents import KEY, SIGNATURE
from workers.core.evidence.reach import Reached
from workers.core.tokens import Signer, answer_bytes, digest

NONCE = "nonce-0123456789abcdef"
ARGS = {"host": "10.0.0.1", "port": 80, "timeout": 2.0}


async def answer(query: Any, host: Any) -> Reached:
    """A probe that looks nowhere."""
    del host
    return Reached(host=query.host, port=query.port, state="open")


def token_for(signer: Signer, *, now: float, ttl: float = 30, purpose: str = "probe", **changes: Any) -> str:
    """A token for the request that `post` makes, with some claims changed."""
    claims = {"nodes": [UID], "probe": "connect", "digest": digest(ARGS), "nonce": NONCE, **changes}
    return signer.token(purpose, claims, now=now, ttl=ttl)


async def post(running: Running, token: str | None, body: bytes | dict[str, Any] | None = None) -> Any:
    """Status, headers, JSON body and the raw body of one request."""
    if not isinstance(body, bytes):
        body = msgspec.json.encode({"nonce": NONCE, "probe": "connect", "args": ARGS, **(body or {})})
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"https://127.0.0.1:{running.card.port}/v1/probe"
    pin = aiohttp.Fingerprint(running.card.fingerprint)
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers, ssl=pin) as response:
        raw = await response.read()
        return response.status, response.headers, msgspec.json.decode(raw), raw


async def test_a_good_request_is_answered_and_signed(start: Start) -> None:
    """The signature is over nonce, node and body, by the key on the card."""
    running = await start(take={"connect": answer})
    status, headers, body, raw = await post(running, token_for(running.look, now=running.clock()))
    assert (status, body["answer"]["state"]) == (200, "open")
    assert headers[KEY] == running.card.kid
    running.card.keyring.check(answer_bytes(NONCE, UID, raw), headers[SIGNATURE], headers[KEY])


async def test_a_change_worker_may_look_as_well(start: Start) -> None:
    """Before it changes anything it needs fresh evidence."""
    running = await start(take={"connect": answer})
    status, *_ = await post(running, token_for(running.act, now=running.clock()))
    assert status == 200


@pytest.mark.parametrize(
    ("changes", "body", "expected"),
    [
        ({"nodes": ["another"]}, {}, "other-node"),
        ({"nodes": UID}, {}, "other-node"),
        ({"nodes": None}, {}, "other-node"),
        ({"probe": "rule-slice"}, {}, "other-probe"),
        ({}, {"args": {**ARGS, "port": 81}}, "other-arguments"),
        ({}, {"args": {}}, "other-arguments"),
        ({"nonce": "another-0123456789abcdef"}, {}, "other-nonce"),
        ({"nonce": None}, {}, "other-nonce"),
        ({"digest": digest({"node": "node-2"})}, {"args": {"node": "node-2"}}, "bad-arguments"),
        ({"digest": digest({"host": 7, "port": 1})}, {"args": {"host": 7, "port": 1}}, "bad-arguments"),
        ({"digest": digest({"host": "10.0.0.1"})}, {"args": {"host": "10.0.0.1"}}, "bad-arguments"),
        ({}, {"args": {"port": 2**60}}, "bad-arguments"),
        ({"purpose": "task"}, {}, "not-trusted"),
        ({"purpose": "grant"}, {}, "not-trusted"),
        ({"ttl": 301}, {}, "not-trusted"),
        ({"ttl": -11}, {}, "clock-skew"),
        ({}, {"probe": "shell"}, "unknown-probe"),
        ({}, {"nonce": "short"}, "bad-request"),
        ({}, {"nonce": "x" * 65}, "bad-request"),
        ({}, {"nonce": "a/../b/0123456789"}, "bad-request"),
        ({}, {"command": "id"}, "bad-request"),
    ],
)
async def test_what_does_not_fit_is_refused(
    start: Start, changes: dict[str, Any], body: dict[str, Any], expected: str
) -> None:
    """Every claim is compared; the answer has an id and a sentence, and no signature: nothing was let in."""
    running = await start(take={"connect": answer})
    token = token_for(running.look, **{"now": running.clock(), **changes})
    status, headers, said, _ = await post(running, token, body)
    assert said["error"] == expected
    assert 400 <= status < 500
    assert said["detail"]
    assert SIGNATURE not in headers


@pytest.mark.parametrize("scheme", [None, "", "Basic abc", "not.a.token"])
async def test_a_stranger_is_refused(start: Start, scheme: str | None) -> None:
    """Without a token, or with what is none, nothing is done."""
    running = await start(take={"connect": answer})
    status, _, said, _ = await post(running, scheme)
    assert status == 401
    assert said["error"] in {"no-token", "not-trusted"}


async def test_an_unknown_key_is_refused(start: Start) -> None:
    """A well-made token by somebody else's key."""
    running = await start(take={"connect": answer})
    _, _, said, _ = await post(running, token_for(Signer(Ed25519PrivateKey.generate()), now=running.clock()))
    assert (said["error"], "unknown key" in said["detail"]) == ("not-trusted", True)


async def test_a_known_key_id_with_another_signature_is_refused(start: Start) -> None:
    """The key id is only a hint; the signature decides."""
    running = await start(take={"connect": answer})
    forger = Signer(Ed25519PrivateKey.generate())
    forger.kid = running.look.kid
    _, _, said, _ = await post(running, token_for(forger, now=running.clock()))
    assert (said["error"], "verify" in said["detail"]) == ("not-trusted", True)


async def test_the_same_request_twice_is_refused(start: Start) -> None:
    """Whoever records a request cannot make it again while its token lives; nor after, as that is over."""
    running = await start(take={"connect": answer})
    token = token_for(running.look, now=running.clock())
    assert (await post(running, token))[0] == 200
    running.clock.now += 39  # the token's life, and the leeway
    assert (await post(running, token))[2]["error"] == "replayed"
    running.clock.now += 2
    assert (await post(running, token))[2]["error"] == "clock-skew"


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_clock_skew_carries_the_agents_time(start: Start, minutes: int) -> None:
    """Ahead or behind: the caller can tell by how much."""
    running = await start(take={"connect": answer})
    status, _, said, _ = await post(running, token_for(running.look, now=running.clock() + 60 * minutes))
    assert (status, said["error"], said["clock"]) == (401, "clock-skew", running.clock())


async def test_the_time_of_a_strangers_token_is_no_matter(start: Start) -> None:
    """The signature is checked first: only a known caller learns the agent's clock."""
    running = await start()
    _, _, said, _ = await post(running, token_for(Signer(Ed25519PrivateKey.generate()), now=1.0))
    assert (said["error"], "clock" in said) == ("not-trusted", False)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"\xff"', b"[" * 60_000, b'{"nonce":1}'])
async def test_what_is_no_request_is_refused(start: Start, body: bytes) -> None:
    """Broken JSON, other JSON, broken UTF-8, and nesting that would exhaust a parser."""
    running = await start()
    status, _, said, _ = await post(running, "x", body)
    assert (status, said["error"]) == (400, "bad-request")


async def test_an_oversized_request_is_refused(start: Start) -> None:
    """64 KiB are enough for any query."""
    running = await start()
    status, _, said, _ = await post(running, "x", b" " * (65 << 10))
    assert (status, said["error"]) == (413, "too-large")


async def test_a_compressed_bomb_is_refused(start: Start) -> None:
    """The limit holds for what comes out of a compressed body, too."""
    import zlib  # noqa: PLC0415 - only here

    running = await start()
    url = f"https://127.0.0.1:{running.card.port}/v1/probe"
    body = zlib.compress(b" " * (10 << 20))
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            url, data=body, headers={"Content-Encoding": "deflate"}, ssl=aiohttp.Fingerprint(running.card.fingerprint)
        ) as response,
    ):
        assert response.status in {400, 413}


async def test_before_it_knows_its_node_it_says_so(start: Start) -> None:
    """It serves from the first moment, and no token could be for it yet."""
    running = await start(ready=False)
    status, _, said, _ = await post(running, token_for(running.look, now=running.clock()))
    assert (status, said["error"]) == (503, "not-ready")


async def test_healthz_says_ok_and_nothing_else(start: Start) -> None:
    """Without a token, also before it is ready."""
    running = await start(ready=False)
    url = f"https://127.0.0.1:{running.card.port}/healthz"
    pin = aiohttp.Fingerprint(running.card.fingerprint)
    async with aiohttp.ClientSession() as session, session.get(url, ssl=pin) as response:
        assert (response.status, await response.text()) == (200, "ok")


async def test_only_tls_1_3_is_spoken(start: Start) -> None:
    """Older versions are not offered."""
    running = await start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError):  # noqa: PT011 - an alert or a reset, whichever comes first
        await asyncio.open_connection("127.0.0.1", running.card.port, ssl=context)


async def _nonce_after_nonce(running: Running, count: int) -> list[str]:
    async def one(number: int) -> str:
        nonce = f"{NONCE}-{number}"
        token = token_for(running.look, now=running.clock(), nonce=nonce)
        _, headers, said, _ = await post(running, token, {"nonce": nonce})
        assert SIGNATURE in headers  # it was let in: the refusal is signed as well
        return str(said.get("error", "answered"))

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def test_only_so_many_probes_at_once(start: Start) -> None:
    """One runs, one waits, the third is sent away at once, with a signature."""
    gate = asyncio.Event()

    async def slow(query: Any, host: Any) -> Reached:
        await gate.wait()
        return await answer(query, host)

    running = await start(take={"connect": slow}, turns=Turns(running=1, waiting=1))
    asked = asyncio.create_task(_nonce_after_nonce(running, 3))
    asyncio.get_running_loop().call_later(0.5, gate.set)  # by then all three have come
    assert sorted(await asked) == ["answered", "answered", "busy"]


async def test_test_traffic_has_a_rate(start: Start) -> None:
    """Probes of class `load` beyond the rate are refused, not queued."""
    running = await start(take={"connect": answer}, rate=Rate(per_second=0.001, burst=2))
    assert sorted(await _nonce_after_nonce(running, 3)) == ["answered", "answered", "too-fast"]


async def test_an_act_probe_needs_more_than_a_token(start: Start) -> None:
    """Neither key may take one."""
    running = await start(take={"connect": answer}, changes={"klass": "act"})
    for signer in (running.look, running.act):
        _, _, said, _ = await post(running, token_for(signer, now=running.clock()))
        assert said["error"] == "not-allowed"


async def test_a_slow_probe_is_ended(start: Start) -> None:
    """By its own timeout, with a signed refusal."""

    async def slow(query: Any, host: Any) -> Reached:
        await asyncio.sleep(30)
        return await answer(query, host)

    running = await start(take={"connect": slow}, changes={"timeout": 0.05})
    assert await _nonce_after_nonce(running, 1) == ["timeout"]


async def test_an_answer_that_is_too_large_is_not_sent(start: Start) -> None:
    """Over 1 MiB it becomes an error."""

    async def large(query: Any, host: Any) -> Reached:
        del host
        return Reached(host="x" * (1 << 20), port=query.port, state="open")

    running = await start(take={"connect": large})
    assert await _nonce_after_nonce(running, 1) == ["too-large"]


async def test_a_crashed_probe_does_not_take_the_agent_down(start: Start) -> None:
    """Its error is named, and the next request is answered."""

    async def crash(query: Any, host: Any) -> Reached:
        if query.port == 80:
            raise ZeroDivisionError("oh")
        return await answer(query, host)

    running = await start(take={"connect": crash})
    assert await _nonce_after_nonce(running, 2) == ["crashed", "crashed"]


async def test_a_caller_that_goes_away_ends_its_probe(start: Start) -> None:
    """Nothing is looked at for nobody."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow(query: Any, host: Any) -> Reached:
        begun.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()
        return await answer(query, host)

    running = await start(take={"connect": slow}, changes={"timeout": 60.0})
    asking = asyncio.create_task(post(running, token_for(running.look, now=running.clock())))
    await begun.wait()
    asking.cancel()
    await asyncio.wait_for(ended.wait(), 5)


async def test_stop_lets_a_running_probe_end(start: Start) -> None:
    """What was let in is answered; new connections are refused."""
    begun, gate = asyncio.Event(), asyncio.Event()

    async def slow(query: Any, host: Any) -> Reached:
        begun.set()
        await gate.wait()
        return await answer(query, host)

    running = await start(take={"connect": slow})
    asking = asyncio.create_task(post(running, token_for(running.look, now=running.clock())))
    await begun.wait()
    stopping = asyncio.create_task(running.agent.stop())
    await asyncio.sleep(0.05)
    with pytest.raises(OSError):  # noqa: PT011 - refused, whatever its exact kind
        await asyncio.open_connection("127.0.0.1", running.card.port)
    gate.set()
    assert (await asking)[0] == 200
    await stopping
