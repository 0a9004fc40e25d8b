"""How does Slack deliver envelopes over Socket Mode? Links (sockets), one per envelope, and the acks that come back.

An ack is matched by envelope id on any socket: clients answer on their new socket what came on the old one.
"""

import asyncio
import itertools
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from aiohttp import WSMsgType, web

from bot.demo.events import EventLog
from bot.demo.people import APP_ID

MOST = 10  # sockets of one app
Type = Literal["slash_commands", "interactive", "events_api"]
Reason = Literal["warning", "refresh_requested", "too_many_websockets", "link_disabled"]


class Ack(msgspec.Struct, frozen=True):
    """How the app answered an envelope: whether in time, after how many seconds, and with what."""

    acked: bool
    seconds: float
    payload: dict[str, Any] = {}
    error: str = ""  # what the person sees instead: `operation_timeout`, `dispatch_failed`

    @property
    def text(self) -> str:
        """The text of the answer, or empty."""
        return str(self.payload.get("text", ""))


@dataclass
class Link:
    """One socket. `deaf`: half-open, it neither answers pings nor hears anything, but nobody closed it."""

    name: str
    socket: web.WebSocketResponse
    deaf: bool = False
    carried: int = 0


@dataclass
class Links:
    """All sockets of the app."""

    log: EventLog
    ack_timeout: float = 3.0
    lose_acks: int = 0  # so many acks are thrown away on arrival
    links: list[Link] = field(default_factory=list)
    _tickets: set[str] = field(default_factory=set)
    _waiting: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)
    _names: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def ticket(self) -> str:
        """Permission to open one socket."""
        ticket = secrets.token_hex(8)
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One socket's life."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.json_response({"ok": False, "error": "invalid_ticket"}, status=403)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        if len(self.links) >= MOST:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        link = Link(f"link-{next(self._names)}", socket)
        self.links.append(link)
        self.log.add("socket-open", link=link.name, sockets=len(self.links))
        try:
            await socket.send_json(self._hello())
            await self._listen(link)
        finally:
            self._forget(link)
        return socket

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "num_connections": len(self.links),
            "connection_info": {"app_id": APP_ID},
            "debug_info": {"host": "simulated", "build_number": 1, "approximate_connection_time": 18060},
        }

    def _forget(self, link: Link) -> None:
        if link in self.links:
            self.links.remove(link)
            self.log.add("socket-closed", link=link.name, sockets=len(self.links))

    async def _listen(self, link: Link) -> None:
        async for frame in link.socket:
            if link.deaf:
                continue
            if frame.type == WSMsgType.PING:
                await link.socket.pong(frame.data)
            elif frame.type == WSMsgType.TEXT:
                self._take_ack(frame.data)

    def _take_ack(self, text: str) -> None:
        answer = json.loads(text)
        waiting = self._waiting.get(answer.get("envelope_id", ""))
        if self.lose_acks > 0:
            self.lose_acks -= 1
        elif waiting and not waiting.done():
            waiting.set_result(answer.get("payload") or {})

    async def deliver(self, type_: Type, payload: dict[str, Any], *, accepts: bool = False, **retry: Any) -> Ack:
        """Send one envelope to one socket and wait for its ack, at most `ack_timeout` seconds.

        accepts: the ack may carry an answer. retry: `retry_attempt` and `retry_reason` of a repeated event.
        """
        if not self.links:
            return Ack(acked=False, seconds=0.0, error="dispatch_failed")
        key = secrets.token_hex(16)
        envelope = {"envelope_id": key, "payload": payload, "type": type_, "accepts_response_payload": accepts, **retry}
        link = self.links[next(self._turn) % len(self.links)]
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._waiting[key] = waiting
        begun = loop.time()
        try:
            await self._send(link, envelope)
            answer = await asyncio.wait_for(waiting, self.ack_timeout)
        except TimeoutError:
            return Ack(acked=False, seconds=loop.time() - begun, error="operation_timeout")
        finally:
            del self._waiting[key]
        return Ack(acked=True, seconds=loop.time() - begun, payload=answer)

    async def _send(self, link: Link, envelope: dict[str, Any]) -> None:
        link.carried += 1
        if link.deaf:
            return  # into the void, as on a half-open connection
        try:
            await link.socket.send_json(envelope)
        except ConnectionError:
            self._forget(link)  # the envelope is lost with its socket, and the ack will be missed

    async def disconnect(self, *, frame: bool = True, reason: Reason = "refresh_requested", last: int = MOST) -> None:
        """Close the `last` sockets; with a `disconnect` frame as Slack does when it refreshes, or without a word."""
        for link in self.links[-last:]:
            if frame:
                await link.socket.send_json(
                    {"type": "disconnect", "reason": reason, "debug_info": {"host": "simulated"}}
                )
            if reason != "warning":
                self._forget(link)
                await link.socket.close()

    def half_open(self, first: int = 1) -> None:
        """The `first` sockets go deaf: nothing comes through any more, and nobody closes them."""
        for link in self.links[:first]:
            link.deaf = True
