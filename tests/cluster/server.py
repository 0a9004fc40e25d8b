"""A small API server on loopback that says what a test tells it to, also what no good one would."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from workers.collect.cluster.api import Api

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeServer:
    """Answers by path. `asked` holds every request's method, path and query, `bodies` what was sent along."""

    def __init__(self) -> None:
        self.answers: dict[str, Handler] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.accepted: list[str] = []
        self.bodies: list[Any] = []
        self.url = ""

    def says(self, path: str, body: Any, *, status: int = 200) -> None:
        """At `path` this JSON (or text) is answered."""

        async def handler(_request: web.Request) -> web.Response:
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(text=text, status=status, content_type="application/json")

        self.answers[path] = handler

    def refuses(self, path: str, status: int, message: str, reason: str = "") -> None:
        """At `path` a Status object is answered."""
        said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}
        self.says(path, {**said, "reason": reason}, status=status)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        self.asked.append((request.method, request.path, dict(request.query)))
        self.accepted.append(request.headers.get("Accept", ""))
        self.bodies.append(await request.json() if request.can_read_body else None)
        handler = self.answers.get(request.path)
        if handler is None:
            return web.json_response({"message": f"{request.path} not found", "reason": "NotFound"}, status=404)
        return await handler(request)

    @contextmanager
    def running(self) -> Iterator["FakeServer"]:
        """Served from a thread of its own, as the client's calls block."""
        loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve() -> None:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self.handle)
            runner = web.AppRunner(app, shutdown_timeout=0)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._stop = asyncio.Event()
            ready.set()
            await self._stop.wait()
            await runner.cleanup()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
        thread.start()
        ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(self._stop.set)
            thread.join(10)
            loop.close()


def api_for(url: str, folder: Path, role: str = "look") -> Api:
    """The product's own client, by a kubeconfig file."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "made-up"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    return Api.connect(path, role=role)
