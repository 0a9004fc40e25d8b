"""How does a request become a signed answer?

HTTPS with two paths: `/v1/probe` and `/healthz`. Once a request is let in, everything that is answered is signed,
refusals too; the body alone tells a value (`answer`) from a refusal (`error`), as the signature does not cover the
HTTP status. Time, bytes, memory and concurrency are bounded, for callers and more so for strangers.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from aiohttp import web

from workers.agent.callers import Callers
from workers.agent.door import Admitted, Door, Refused
from workers.agent.host import Host, ProbeFailed
from workers.agent.identity import Identity
from workers.agent.limits import Rate, Turns
from workers.core.agents import KEY, SIGNATURE
from workers.core.declare import Probe
from workers.core.errors import TryAgain
from workers.core.tokens import answer_bytes

LARGEST_REQUEST = 64 << 10  # bytes
LARGEST_ANSWER = 1 << 20  # bytes
SLOWEST_REQUEST = 5.0  # seconds for a body to arrive
SLOWEST_HANDSHAKE = 5.0  # seconds
CONNECTIONS = 256  # at once: each costs some 300 KB, most of it TLS buffers
GRACE = 5.0  # seconds that running probes have when the agent is stopped

log = structlog.get_logger()


class Agent:
    """The server. It refuses to look until `node_uid` is known: no token could be for it."""

    def __init__(
        self,
        identity: Identity,
        callers: Callers,
        probes: dict[str, Probe],
        *,
        host: Host | None = None,
        clock: Callable[[], float] = time.time,
        turns: Turns | None = None,
        rate: Rate | None = None,
    ) -> None:
        self.node_uid = ""
        self.identity = identity
        self._host = host or Host()
        self._clock = clock
        self._turns = turns or Turns()
        self._rate = rate or Rate()
        self._door = Door(identity.node, probes, callers)
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.add_routes([web.post("/v1/probe", self._probe), web.get("/healthz", self._healthz)])
        # A caller that went away cancels its probe, and the programs that this probe runs.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=GRACE)
        self._server: asyncio.Server | None = None

    async def start(self, listen: str, port: int) -> int:
        """Serve from now on; returns the port (the kernel's choice, if it was 0). Raises OSError when it is taken."""
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol,
            listen,
            port,
            ssl=self.identity.ssl_context(),
            ssl_handshake_timeout=SLOWEST_HANDSHAKE,
            ssl_shutdown_timeout=1.0,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take no more connections, let running probes end (GRACE seconds), and close."""
        if self._server:
            self._server.close()
        await self._runner.cleanup()

    def _protocol(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        if server is None or len(server.connections) >= CONNECTIONS:
            return _Closing()
        return server()

    async def _healthz(self, request: web.Request) -> web.Response:
        del request
        return web.Response(text="ok")

    async def _probe(self, request: web.Request) -> web.Response:
        try:
            body = await self._body(request)
            if not self.node_uid:
                raise Refused(503, "not-ready", "this agent does not know its node's uid yet: it cannot reach the API")
            authorization = request.headers.get("Authorization", "")
            admitted = self._door.admit(body, authorization, self.node_uid, now=self._clock())
        except Refused as refused:
            log.warning("refused", error=refused.error, detail=str(refused), peer=request.remote)
            return web.Response(status=refused.status, body=refused.body, content_type="application/json")
        return await self._answer(admitted)

    async def _body(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(SLOWEST_REQUEST):
                return await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise Refused(413, "too-large", f"a request has at most {LARGEST_REQUEST >> 10} KiB") from error
        except TimeoutError as error:
            raise Refused(408, "too-slow", "the request did not arrive in time") from error

    async def _answer(self, admitted: Admitted) -> web.Response:
        begun = time.monotonic()
        status, error = 200, ""
        try:
            body = msgspec.json.encode({"answer": await self._take(admitted)})
            if len(body) > LARGEST_ANSWER:
                raise Refused(500, "too-large", f"the answer has {len(body)} bytes, more than are sent")
        except Refused as refused:
            status, error, body = refused.status, refused.error, refused.body
        took = round(time.monotonic() - begun, 3)
        log.info("answered", probe=admitted.tag, caller=admitted.caller, error=error, took=took, bytes=len(body))
        signed = answer_bytes(admitted.nonce, self.node_uid, body)
        signer = self.identity.signer
        headers = {SIGNATURE: signer.sign(signed), KEY: signer.kid}
        return web.Response(status=status, body=body, content_type="application/json", headers=headers)

    async def _take(self, admitted: Admitted) -> Any:
        probe = admitted.probe
        if probe.klass == "load" and not self._rate.allow(time.monotonic()):
            raise Refused(429, "too-fast", "this agent sends no more test traffic for a moment")
        try:
            async with asyncio.timeout(probe.timeout), self._turns.turn():
                return await probe.take(admitted.query, self._host)
        except TimeoutError as error:
            raise Refused(504, "timeout", f"{admitted.tag} did not end within {probe.timeout:g} s") from error
        except TryAgain as error:
            raise Refused(503, "busy", str(error)) from error
        except ProbeFailed as error:
            raise Refused(500, "failed", str(error)) from error
        except Exception as error:  # the one place that catches widely: one probe's fault must not be the agent's
            log.exception("probe crashed", probe=admitted.tag)
            raise Refused(500, "crashed", f"the {admitted.tag} probe itself failed: {error!r}") from error


class _Closing(asyncio.Protocol):
    """For connections beyond the limit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Closes it at once."""
        if isinstance(transport, asyncio.Transport):
            transport.abort()
