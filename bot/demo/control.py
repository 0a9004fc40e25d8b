"""What does the page ask for? Its files, the state as JSON, what happens live (server-sent events), a person's actions.

Only for this machine's own browser: the Host header has to be 127.0.0.1 or localhost, and an action has to come from
the page itself, so that no other web site can press a button here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from bot.demo.people import BOT_USER, DOMAIN, TEAM_NAME
from bot.demo.world import Message

if TYPE_CHECKING:
    from bot.demo.workspace import Workspace

WEB = Path(__file__).parent / "web"
FILES = ("app.js", "blocks.js", "mrkdwn.js", "icons.js", "dom.js", "style.css", "icon.svg")
HEADERS = {
    # Nothing but this page's own files is ever loaded, and no text can become a script.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(workspace: "Workspace") -> list[web.RouteDef]:
    """The page, and `/_sim/...`."""
    page = Page(workspace)
    return [
        web.get("/{name}", page.file),
        web.get("/", page.file),
        web.get("/_sim/state", page.state),
        web.get("/_sim/events", page.events),
        web.post("/_sim/{action:slash|press|say}", page.act),
    ]


class Page:
    """The page's side of one workspace."""

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace

    async def file(self, request: web.Request) -> web.StreamResponse:
        """One of the page's files."""
        _local(request)
        name = request.match_info.get("name", "index.html")
        if name not in ("index.html", *FILES):
            raise web.HTTPNotFound
        return web.FileResponse(WEB / name, headers=HEADERS)

    async def state(self, request: web.Request) -> web.StreamResponse:
        """All that the person `?user=` may see."""
        _local(request)
        viewer = self._workspace.user(request.query.get("user", "alice")).id
        return web.json_response(self._seen_by(viewer), headers=HEADERS)

    def _seen_by(self, viewer: str) -> dict[str, Any]:
        there = self._workspace
        channels = [channel for channel in there.channels.values() if viewer in channel.members]
        messages: list[Message] = []
        for channel in channels:
            messages += there.everything(channel.id)
        messages += there.ephemerals(viewer)
        return {
            "team": TEAM_NAME,
            "domain": DOMAIN,
            "viewer": viewer,
            "last": len(there.log.all),
            "did": self._did(),
            "users": {user.id: {"name": user.name, "team": user.team} for user in there.users.values()},
            "people": [user.id for user in there.users.values() if user.id != BOT_USER and not user.deleted],
            "channels": [
                {"id": one.id, "name": one.name, "shared": bool(one.shared_with), "members": len(one.members)}
                for one in channels
            ],
            "messages": [_for_page(message) for message in sorted(messages, key=lambda one: one.ts)],
        }

    def _did(self) -> list[str]:
        """Which steps of the page's guide have been taken."""
        log = self._workspace.log
        asked = [event for event in log.of("slash") if not event.data["text"].startswith("audit")]
        proposed = {event.data["user"] for event in log.of("press", action="propose")}
        approved = {event.data["user"] for event in log.of("press", action="approve")}
        steps = {
            "ask": asked,
            "propose": proposed,
            "self": approved & proposed,
            "approve": approved - proposed,
            "audit": len(log.of("slash")) > len(asked),
        }
        return [step for step, taken in steps.items() if taken]

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Everything that happens, as server-sent events; the page then asks for the state again."""
        _local(request)
        stream = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await stream.prepare(request)
        after = int(request.headers.get("Last-Event-ID") or request.query.get("after") or 0)
        try:
            async for event in self._workspace.log.follow(after):
                await stream.write(f"id: {event.n}\ndata: {event.kind}\n\n".encode())
        except (ConnectionError, asyncio.CancelledError):
            return stream
        return stream

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Let a person type, press or say something."""
        from bot.demo.driver import CannotDo, Person  # noqa: PLC0415 - the driver stands on the workspace, which stands on us

        _local(request)
        if request.headers.get("Origin") not in (None, f"http://{request.host}"):
            raise web.HTTPForbidden(text="only the page itself may act")
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="JSON, please")
        asked = await request.json()
        person = Person(self._workspace, str(asked["user"]))
        channel, action = str(asked["channel"]), request.match_info["action"]
        try:
            if action == "slash":
                ack = await person.slash(str(asked["text"]), channel)
            elif action == "press":
                ack = await person.press(str(asked["ts"]), str(asked["action_id"]), asked.get("value"), channel=channel)
            else:
                await person.say(str(asked["text"]), channel=channel, thread_ts=str(asked.get("thread_ts", "")))
                return web.json_response({"ok": True}, headers=HEADERS)
        except CannotDo as no:
            return web.json_response({"ok": False, "error": str(no)}, headers=HEADERS)
        return web.json_response({"ok": ack.acked, **msgspec.to_builtins(ack)}, headers=HEADERS)


def _local(request: web.Request) -> None:
    if request.host.partition(":")[0] not in ("127.0.0.1", "localhost"):
        raise web.HTTPForbidden(text="this page is for 127.0.0.1 only")


def _for_page(message: Message) -> dict[str, Any]:
    return {
        "channel": message.channel,
        "ts": message.ts,
        "user": message.user,
        "text": message.text,
        "blocks": list(message.blocks),
        "thread_ts": message.thread_ts if message.in_thread else "",
        "broadcast": message.broadcast,
        "only_for": message.only_for,
        "edits": message.edits,
        "reactions": [name for name, _ in message.reactions],
        "files": [
            {"title": file.title, "name": file.name, "text": file.data[:20_000].decode("utf-8", "replace")}
            for file in message.files
        ],
    }
