"""A very small Slack on loopback: takes what is written, and says what a test wants it to say."""

import json
from collections import deque
from types import TracebackType
from typing import Any, Self

from aiohttp import web


class FakeSlack:
    """Answers every method with ok, unless something else stands in `answers` for it.

    answers: method -> what to answer next, one after the other: an error's name, a number of seconds (429), or 500.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, deque[str | float | int]] = {}
        self.said: list[dict[str, Any]] = []
        self.response_status = 200
        self.url = ""
        self._runner: web.AppRunner | None = None

    def next(self, method: str, *answers: str | float) -> None:
        """Answer the next calls of this method so."""
        self.answers.setdefault(method, deque()).extend(answers)

    def of(self, method: str) -> list[dict[str, Any]]:
        """The parameters of the calls of this method that were answered with ok."""
        return [params for name, params in self.calls if name == method]

    async def __aenter__(self) -> Self:
        """Listen."""
        app = web.Application()
        app.add_routes([web.post("/api/{method}", self._call), web.post("/response", self._response)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        if self._runner:
            await self._runner.cleanup()

    async def _call(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        params: dict[str, Any] = dict(request.query) | dict(await request.post())
        if request.content_type == "application/json":
            params |= await request.json()
        waiting = self.answers.get(method)
        answer = waiting.popleft() if waiting else None
        if isinstance(answer, str):
            return web.json_response({"ok": False, "error": answer})
        if answer == 500:
            return web.Response(status=500, text="unwell")
        if answer is not None:
            error = {"ok": False, "error": "ratelimited"}
            return web.json_response(error, status=429, headers={"Retry-After": str(answer)})
        if isinstance(params.get("blocks"), str):
            params["blocks"] = json.loads(params["blocks"])
        self.calls.append((method, params))
        return web.json_response({"ok": True, "ts": f"1.{len(self.calls):06d}", "channel": params.get("channel")})

    async def _response(self, request: web.Request) -> web.Response:
        self.said.append(await request.json())
        return web.Response(status=self.response_status, text="ok")
