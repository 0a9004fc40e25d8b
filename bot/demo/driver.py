"""What can a person do in the simulated workspace? Type a command, press a button, mention the bot.

`Person(workspace, "alice")` is the hand of a test, of `netdiag demo --check` and of the page alike.
"""

import asyncio
import secrets
from typing import Any

from bot.demo import envelopes
from bot.demo.errors import SlackRefuses
from bot.demo.people import BOT_USER, Channel, User
from bot.demo.replies import Url
from bot.demo.socket import Ack
from bot.demo.workspace import Workspace
from bot.demo.world import Message, buttons

COMMAND = "/netdiag"


class CannotDo(Exception):
    """Slack's own client would not let this person do that; the message is what it would say."""


class Person:
    """One person at a keyboard; `who` is an id or a name."""

    def __init__(self, workspace: Workspace, who: str) -> None:
        self.workspace = workspace
        self.user: User = workspace.user(who)

    @property
    def ephemerals(self) -> list[Message]:
        """What only this person sees, oldest first."""
        return self.workspace.ephemerals(self.user.id)

    async def slash(self, text: str, channel: str = "C1INC", *, raw: bool = False) -> Ack:
        """Type `/netdiag text` (or a whole command with its slash) and wait for the ack.

        raw: pass the text on as it is, without Slack's escapes. When the app does not ack, the person sees an error.
        """
        command, _, words = text.partition(" ") if text.startswith("/") else (COMMAND, " ", text)
        place = self._place(channel)
        shown = words.strip() if raw else envelopes.typed(words.strip(), self.workspace.users, self.workspace.channels)
        trigger, key = self._trigger(), self.workspace.replies.issue(channel, self.user.id)
        url = f"{self.workspace.url}/response/{key}"
        self.workspace.log.add("slash", user=self.user.id, channel=channel, command=command, text=shown)
        payload = envelopes.slash(self.user, place, command, shown, trigger=trigger, url=url)
        ack = await self._deliver("slash_commands", payload, self.workspace.faults.duplicates)
        if ack.acked and ack.payload:
            self._say(ack.payload, channel)
        elif not ack.acked:
            self._fail(channel, f"{command} failed with the error “{ack.error}”", ack.error)
        return ack

    async def press(
        self,
        message_ts: str,
        action_id: str,
        value: str | None = None,
        *,
        channel: str = "C1INC",
        times: int = 1,
    ) -> Ack:
        """Press a button of a message (its confirmation included) and wait for the ack.

        value: which one, when several have this action id. times: deliver this one press so often. Raises CannotDo.
        """
        place = self._place(channel)
        message = self.workspace.find(channel, message_ts)
        if message is None or message.only_for not in ("", self.user.id):
            raise CannotDo(f"there is no message {message_ts} for {self.user.name} to press on")
        button = _button(message, action_id, value)
        key = self.workspace.replies.issue(channel, self.user.id, message)
        url, trigger, at = f"{self.workspace.url}/response/{key}", self._trigger(), self.workspace.clock()
        self.workspace.log.add("press", user=self.user.id, channel=channel, ts=message_ts, action=action_id)
        payload = envelopes.press(self.user, place, message, button, at=at, trigger=trigger, url=url)
        ack = await self._deliver("interactive", payload, max(times, self.workspace.faults.duplicates))
        if not ack.acked:
            self._fail(channel, "This app did not respond. Try again.", ack.error, message)
        return ack

    async def say(self, text: str, *, channel: str = "C1INC", thread_ts: str = "") -> Message:
        """Write a message; when it mentions the bot, the bot gets an app_mention event, again until it acks."""
        place = self._place(channel)
        shown = envelopes.typed(text, self.workspace.users, self.workspace.channels).replace("|netdiag>", ">")
        message = self.workspace.post(Message(channel, "", self.user.id, shown, thread_ts=thread_ts))
        if f"<@{BOT_USER}>" in shown and BOT_USER in place.members:
            await self._send_event(place, message)
        return message

    async def mention(self, text: str, *, channel: str = "C1INC", thread_ts: str = "") -> Message:
        """Write `@netdiag text`."""
        return await self.say(f"@netdiag {text}", channel=channel, thread_ts=thread_ts)

    async def _send_event(self, place: Channel, message: Message) -> None:
        event_id, now = f"Ev{secrets.token_hex(5).upper()}", self.workspace.clock()
        payload = envelopes.mention(self.user, place, message, event_id=event_id, at=now)
        ack = await self._deliver("events_api", payload, self.workspace.faults.duplicates, retry_attempt=0)
        for attempt, pause in enumerate(self.workspace.retries, start=1):
            if ack.acked:
                return
            await asyncio.sleep(pause)
            retry = {"retry_attempt": attempt, "retry_reason": "timeout"}
            ack = await self._deliver("events_api", payload, 1, **retry)

    async def _deliver(self, type_: Any, payload: dict[str, Any], times: int, **retry: Any) -> Ack:
        accepts = type_ == "slash_commands"
        links = self.workspace.links
        sent = (links.deliver(type_, payload, accepts=accepts, **retry) for _ in range(times))
        acks = await asyncio.gather(*sent)
        for ack in acks:
            self.workspace.log.add(
                "ack", type=type_, user=self.user.id, acked=ack.acked, seconds=ack.seconds, error=ack.error
            )
        return acks[0]

    def _place(self, channel: str) -> Channel:
        place = self.workspace.channels.get(channel)
        if place is None or self.user.id not in place.members:
            raise CannotDo(f"{self.user.name} is not in {channel}")
        if self.user.deleted:
            raise CannotDo(f"{self.user.name} has no account any more")
        return place

    def _trigger(self) -> str:
        return f"{self.workspace.new_id('')}.{self.user.team}.{secrets.token_hex(8)}"

    def _say(self, payload: dict[str, Any], channel: str) -> None:
        try:
            self.workspace.replies.apply(payload, Url(channel, self.user.id, 0.0))
        except SlackRefuses as refusal:
            self._fail(channel, f"The app's answer was refused: {refusal.error}", refusal.error)

    def _fail(self, channel: str, text: str, error: str, message: Message | None = None) -> None:
        thread = message.thread_ts if message and message.in_thread else ""
        self.workspace.log.add("app-failed", user=self.user.id, channel=channel, error=error)
        self.workspace.post(Message(channel, "", "USLACKBOT", text, thread_ts=thread, only_for=self.user.id))


def _button(message: Message, action_id: str, value: str | None) -> dict[str, Any]:
    fitting = [
        button
        for button in buttons(message)
        if button.get("action_id") == action_id and value in (None, button.get("value"))
    ]
    if not fitting:
        there = [(button.get("action_id"), button.get("value")) for button in buttons(message)]
        raise CannotDo(f"the message {message.ts} has no button {action_id} {value or ''}; it has {there}")
    return fitting[0]
