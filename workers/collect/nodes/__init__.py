"""What do the nodes' own agents see? Asks an agent one query, and believes only what it can prove.

An agent is known by its card (workers.core.agents): the connection is pinned to its certificate, and every answer must
be signed by its key over a nonce made for this one question. Whatever goes wrong is a reason, never an exception: a
silent node is unknown, never healthy and never fatal.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from workers.core import tokens
from workers.core.agents import KEY, SIGNATURE, AgentCard
from workers.core.errors import NotTrusted
from workers.core.query import Missing, NodeQuery, Reason, Seen, T
from workers.core.tokens import Signer

TOKEN_TTL = 30.0  # seconds
CONNECT = 2.0  # seconds until a node that drops packets is given up
LARGEST = (1 << 20) + (64 << 10)  # bytes; agents send at most 1 MiB
SHOWN = 300  # characters of an agent's sentence that are kept
REASONS: dict[str, Reason] = {"clock-skew": "clock-skew", "timeout": "timeout"}  # any other refusal is `refused`


class Answer(msgspec.Struct, frozen=True):
    """An answer's body: a value (its JSON), or why there is none (`clock`: the agent's Unix time, when clocks
    differ).
    """

    answer: msgspec.Raw = msgspec.Raw()
    error: str = ""
    detail: str = ""
    clock: float | None = None


class Lost(Exception):
    """There is no value, and this is the reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.missing = Missing(reason, detail[:SHOWN])


class AgentClient:
    """Asks agents. deadline: seconds for one question, once it has its turn; more than any probe takes."""

    def __init__(
        self,
        signer: Signer,
        *,
        port_override: int | None = None,
        clock: Callable[[], float],
        concurrency: int = 200,
        deadline: float = 10.0,
        nonce: Callable[[], str] = lambda: secrets.token_urlsafe(18),
    ) -> None:
        self._signer = signer
        self._port = port_override
        self._clock = clock
        self._concurrency = concurrency
        self._deadline = deadline
        self._nonce = nonce
        self._turn = asyncio.Semaphore(concurrency)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close what is open; the client can be used again afterwards."""
        if self._session:
            await self._session.close()
            self._session = None

    async def ask(self, query: NodeQuery[T], *, address: str, card: AgentCard) -> Seen[T]:
        """Ask the agent on `address` that the card describes; a value that it has proven, or the reason for none."""
        async with self._turn:
            at, begun = self._clock(), asyncio.get_running_loop().time()
            value: T | None = None
            missing: Missing | None = None
            try:
                async with asyncio.timeout(self._deadline):
                    value = await self._value(query, address, card)
            except TimeoutError:
                missing = Missing("timeout", f"the agent on {card.node} did not answer in time")
            except Lost as lost:
                missing = lost.missing
            took = round(asyncio.get_running_loop().time() - begun, 6)
            return Seen(value=value, missing=missing, source="agent", node=query.node, at=at, took=took)

    async def _value(self, query: NodeQuery[T], address: str, card: AgentCard) -> T:
        if card.node != query.node:
            raise Lost("not-trusted", f"this is the card of {card.node}, not of {query.node}")
        nonce = self._nonce()
        try:
            keyring, pin = card.keyring, aiohttp.Fingerprint(card.fingerprint)
        except NotTrusted as error:
            raise Lost("not-trusted", str(error)) from error
        headers, body = await self._post(self._url(address, card), pin, *self._request(query, card, nonce))
        answer = _decode(body)
        if SIGNATURE in headers or bytes(answer.answer):
            try:
                signed = tokens.answer_bytes(nonce, card.node_uid, body)
                keyring.check(signed, headers.get(SIGNATURE, ""), headers.get(KEY, ""))
            except NotTrusted as error:
                raise Lost("not-trusted", f"the answer does not come from {card.node}'s agent: {error}") from error
        return _unpacked(query, answer)

    def _url(self, address: str, card: AgentCard) -> URL:
        try:
            return URL.build(scheme="https", host=address, port=self._port or card.port, path="/v1/probe")
        except ValueError as error:
            raise Lost("unreachable", f"{address!r} is not an address") from error

    def _request(self, query: NodeQuery[Any], card: AgentCard, nonce: str) -> tuple[str, bytes]:
        args = msgspec.to_builtins(query)
        tag = args.pop("query")
        del args["node"]  # the token names the node; one digest can serve many
        claims = {"nodes": [card.node_uid], "probe": tag, "digest": tokens.digest(args), "nonce": nonce}
        token = self._signer.token("probe", claims, now=self._clock(), ttl=TOKEN_TTL)
        return token, msgspec.json.encode({"nonce": nonce, "probe": tag, "args": args})

    async def _post(self, url: URL, pin: aiohttp.Fingerprint, token: str, body: bytes) -> tuple[Any, bytes]:
        try:
            async with self._open().post(
                url, data=body, headers={"Authorization": f"Bearer {token}"}, ssl=pin, allow_redirects=False
            ) as response:
                return response.headers, await _read(response.content)
        except aiohttp.InvalidURL as error:
            raise Lost("unreachable", f"{url.host} is not an address") from error
        except aiohttp.ServerFingerprintMismatch as error:
            raise Lost("not-trusted", "the certificate is not the one that this node's agent has published") from error
        except aiohttp.ConnectionTimeoutError as error:
            raise Lost("timeout", f"no connection to {url.host} port {url.port} within {CONNECT:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise Lost("unreachable", f"no connection to {url.host} port {url.port}: {error.os_error}") from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            raise Lost("unreachable", f"the connection to {url.host} port {url.port} broke: {error}") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise Lost("unreadable", f"the answer of {url.host} is not HTTP: {error}") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Kept-alive TLS connections cost 256 KiB each: 500 MB for 2,000 nodes, where new ones cost 1.5 ms.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._concurrency, force_close=True),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
                headers={"Accept-Encoding": "identity", "Content-Type": "application/json"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


async def _read(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for block in content.iter_any():
        body += block
        if len(body) > LARGEST:
            raise Lost("unreadable", f"the answer has more than {LARGEST >> 10} KiB")
    return bytes(body)


def _decode(body: bytes) -> Answer:
    try:
        return msgspec.json.decode(body, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Lost("unreadable", f"the answer is not an agent's: {error}") from error


def _unpacked(query: NodeQuery[T], answer: Answer) -> T:
    if not bytes(answer.answer):
        reason = REASONS.get(answer.error, "refused")
        if answer.clock is not None and reason == "clock-skew":
            raise Lost(reason, f"{answer.detail}; the clock of {query.node} is at {answer.clock:.0f}")
        raise Lost(reason, answer.detail or answer.error or "it gave no reason")
    try:
        value: T = msgspec.json.decode(answer.answer, type=query.answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Lost("unreadable", f"the answer is not what was asked for: {error}") from error
    return value
