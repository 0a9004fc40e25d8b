"""A gate in front of the API server: it lets everything through, and can hold one call before or after it is made.

Kill tests stop a worker at an exact point with it, without a trace of them in the product and without luck in timing.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

PASSED_ON = ("Authorization", "Content-Type", "Accept")


class Gate:
    """Calls go to `upstream`. `held`: the awaited call is there. `made`: the changes that went through."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._rule: tuple[str, re.Pattern[str], str] | None = None
        self.held = asyncio.Event()
        self.made: list[str] = []
        self.url = ""
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    def close(self) -> None:
        """From now on no call is answered."""
        self._closed = True

    def hold(self, when: str, call: str) -> None:
        """Hold the next call that matches `METHOD /path?query` (a regular expression) `before` or `after` it is made.

        Who waits for it waits until the connection ends; later calls of that kind go through.
        """
        self._rule = (when, re.compile(call), call)
        self.held.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass one call on."""
        call = f"{request.method} {request.path_qs}"
        if self._closed:
            await asyncio.Event().wait()
        rule = self._rule if self._rule and self._rule[1].search(call) else None
        if rule:
            self._rule = None
        if rule and rule[0] == "before":
            await self._hold()
        response = await self._pass_on(request, call)
        if rule and rule[0] == "after":
            await self._hold()
        return response

    async def _hold(self) -> None:
        self.held.set()
        await asyncio.Event().wait()  # the handler is cancelled when the one who asked is gone

    async def _pass_on(self, request: web.Request, call: str) -> web.StreamResponse:
        assert self._session
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        body = await request.read()
        asked = self._session.request(
            request.method, f"{self._upstream}{request.path_qs}", headers=headers, data=body, ssl=False
        )
        async with asked as answer:
            if request.method != "GET" and answer.ok and b'"All"' not in body and "dryRun" not in call:
                self.made.append(call)
            kind = answer.headers.get("Content-Type", "application/json").partition(";")[0]
            return web.Response(status=answer.status, body=await answer.read(), content_type=kind)

    def kubeconfig(self, original: Path, copy: Path) -> Path:
        """The same kubeconfig, with the gate in place of the server."""
        copy.write_text(original.read_text().replace(self._upstream, self.url))
        return copy


@contextlib.asynccontextmanager
async def gate(upstream: str) -> AsyncIterator[Gate]:
    """A gate on a free loopback port."""
    one = Gate(upstream)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", one.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    async with aiohttp.ClientSession() as one._session:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield one
        finally:
            await runner.cleanup()
