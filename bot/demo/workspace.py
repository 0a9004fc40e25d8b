"""How does the simulated workspace answer over HTTP? With Slack's Web API, Socket Mode and the URLs they hand out.

It listens on 127.0.0.1. slack_sdk and Bolt run unchanged against it: only `base_url` differs.
`async with Workspace() as workspace:` starts it on a free port; an app needs `api_url`, BOT_TOKEN and APP_TOKEN.
"""

import asyncio
import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bot.demo import control, methods
from bot.demo.errors import SlackRefuses
from bot.demo.faults import Faults, Rule
from bot.demo.people import APP_TOKEN, BOT_TOKEN, SCOPES
from bot.demo.rates import Rates
from bot.demo.replies import Replies
from bot.demo.socket import Links
from bot.demo.validate import Limits
from bot.demo.world import File, World

TOKENS = {BOT_TOKEN: "bot", APP_TOKEN: "app"}


class Workspace(World):
    """A world that listens.

    clock: Unix seconds, for what expires. ack_timeout: seconds an app has for an ack. rates: keep Slack's rate limits.
    retries: after how many seconds an event that was not acked is sent again.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        clock: Callable[[], float] = time.time,
        ack_timeout: float = 3.0,
        rates: bool = False,
        limits: Limits | None = None,
        scopes: tuple[str, ...] = SCOPES,
        retries: tuple[float, ...] = (0.0, 60.0, 300.0),
    ) -> None:
        super().__init__(clock=clock)
        self.port = port
        self.limits = limits or Limits()
        self.scopes = scopes
        self.retries = retries
        self.faults = Faults()
        self.rates = Rates(clock, on=rates)
        self.links = Links(self.log, ack_timeout)
        self.replies = Replies(self, self.limits)
        self.uploads: dict[str, tuple[str, int]] = {}
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """What goes into `base_url` (or NETDIAG_SLACK_API_URL)."""
        return f"{self.url}/api/"

    async def __aenter__(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=8 * 2**20)
        app.add_routes(
            [
                web.route("*", "/api/{method}", self._call),
                web.get("/link/", self.links.serve),
                web.post("/response/{key}", self._respond),
                web.post("/upload/{file}", self._upload),
                *control.routes(self),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all sockets and stop listening."""
        await self.links.disconnect(frame=False)
        if self._runner:
            await self._runner.cleanup()

    async def _call(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        params = await _params(request)
        rules = self.faults.take(name)
        spoiled = await self._spoil(name, rules)
        if spoiled:
            return spoiled
        try:
            wait, body = self._run(name, params, _token(request, params))
        except SlackRefuses as refusal:
            wait, body = 0, refusal.shown()
        self.log.add("api", method=name, ok=body["ok"], error=body.get("error", ""), params=params)
        if wait:
            return _too_often(wait)
        if any(rule.kind == "lost-answer" for rule in rules):
            if request.transport:
                request.transport.abort()
            return web.Response()
        return web.json_response(body, headers={"x-oauth-scopes": ",".join(self.scopes)})

    async def _spoil(self, name: str, rules: list[Rule]) -> web.StreamResponse | None:
        for rule in rules:
            if rule.kind == "slow":
                await asyncio.sleep(rule.seconds)
            elif rule.kind != "lost-answer":
                self.log.add("api", method=name, ok=False, error=rule.error or rule.kind, params={})
                if rule.kind == "ratelimited":
                    return _too_often(rule.seconds)
                if rule.kind == "error":
                    return web.json_response({"ok": False, "error": rule.error})
                return web.Response(status=rule.status, text="the simulated Slack is unwell")
        return None

    def _run(self, name: str, params: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
        method = methods.load().get(name)
        if method is None:
            raise SlackRefuses("unknown_method", req_method=name)
        if not token:
            raise SlackRefuses("not_authed")
        if token not in TOKENS:
            raise SlackRefuses("invalid_auth")
        if TOKENS[token] != method.token:
            raise SlackRefuses("not_allowed_token_type")
        if method.scope and method.scope not in self.scopes:
            raise SlackRefuses("missing_scope", needed=method.scope, provided=",".join(self.scopes))
        wait = self.rates.wait(name, method.tier, str(params.get("channel", "")))
        if wait:
            return wait, {"ok": False, "error": "ratelimited"}
        return 0, {"ok": True, **method.handle(self, params)}

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json()
            self.replies.answer(request.match_info["key"], body)
        except SlackRefuses as refusal:
            self.log.add("response-url", ok=False, error=refusal.error)
            status = 404 if refusal.error in ("expired_url", "used_url") else 400
            return web.json_response(refusal.shown(), status=status)
        self.log.add("response-url", ok=True, error="")
        return web.Response(text="ok")

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        file_id = request.match_info["file"]
        if file_id not in self.uploads:
            return web.Response(status=404, text="no such upload")
        name, length = self.uploads[file_id]
        data = await request.read()
        if len(data) != length:
            return web.Response(status=400, text=f"{length} bytes were announced, {len(data)} came")
        del self.uploads[file_id]
        self.files[file_id] = File(file_id, name, name, data)
        return web.Response(text=f"OK - {length}")


def _too_often(seconds: float) -> web.Response:
    return web.json_response(
        {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(round(seconds))}
    )


async def _params(request: web.Request) -> dict[str, Any]:
    """Parameters come in the query (the async client), as a form (the sync one) or as JSON, whose types survive."""
    params: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        text = await request.text()
        params |= json.loads(text) if text else {}
    else:
        params |= {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
    for name in ("metadata", "message"):
        if isinstance(params.get(name), str) and str(params[name]).startswith("{"):
            params[name] = json.loads(params[name])
    return params


def _token(request: web.Request, params: dict[str, Any]) -> str:
    header = request.headers.get("Authorization", "")
    return header.removeprefix("Bearer ") if header.startswith("Bearer ") else str(params.pop("token", ""))
