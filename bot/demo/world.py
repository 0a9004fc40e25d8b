"""What is the state of the simulated workspace: people, channels, messages, files, and what happened?

One object that the Web API, the sockets and the driver share. It keeps Slack's rules of who may see and write what;
the protocol around it is elsewhere.
"""

import itertools
import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from bot.demo import pings
from bot.demo.errors import SlackRefuses
from bot.demo.events import EventLog
from bot.demo.people import BOT_ID, BOT_USER, CHANNELS, TEAM, USERS, Channel, User

T = TypeVar("T")
RICH_LINES = ("rich_text_section", "rich_text_preformatted", "rich_text_quote")
TEXT_MAX = 40_000  # chat.postMessage truncates there


class File(msgspec.Struct, frozen=True):
    """A file; `data` is what was uploaded."""

    id: str
    name: str
    title: str
    data: bytes

    def shown(self) -> dict[str, Any]:
        """As Slack tells it to an app."""
        return {"id": self.id, "name": self.name, "title": self.title, "size": len(self.data)}


class Message(msgspec.Struct, frozen=True):
    """One message as it is now. `only_for`: the one person who sees an ephemeral message. `edits`: how often edited."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: tuple[dict[str, Any], ...] = ()
    thread_ts: str = ""
    only_for: str = ""
    edits: int = 0
    broadcast: bool = False
    files: tuple[File, ...] = ()
    reactions: tuple[tuple[str, str], ...] = ()
    metadata: dict[str, Any] | None = None

    @property
    def in_thread(self) -> bool:
        """It answers another message."""
        return bool(self.thread_ts) and self.thread_ts != self.ts

    def shown(self) -> dict[str, Any]:
        """As Slack tells it to an app."""
        facts: dict[str, Any] = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": TEAM}
        if self.user == BOT_USER:
            facts["bot_id"] = BOT_ID
        if self.blocks:
            facts["blocks"] = list(self.blocks)
        if self.thread_ts:
            facts["thread_ts"] = self.thread_ts
        if self.edits:
            facts["edited"] = {"user": self.user, "ts": self.ts}
        if self.files:
            facts["files"] = [file.shown() for file in self.files]
        return facts


class World:
    """The workspace's state, and every change to it as an event of `log`."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.log = EventLog(clock)
        self.users: dict[str, User] = {user.id: user for user in USERS}
        self.channels: dict[str, Channel] = {channel.id: channel for channel in CHANNELS}
        self.files: dict[str, File] = {}
        self._messages: dict[tuple[str, str], Message] = {}
        self._ephemerals: dict[tuple[str, str], Message] = {}
        self._ids = itertools.count(1)

    # What is there

    def messages(self, channel: str) -> list[Message]:
        """What everybody sees in the channel, oldest first: no thread replies (unless broadcast), no ephemerals."""
        return [
            message
            for message in self._messages.values()
            if message.channel == channel and (not message.in_thread or message.broadcast)
        ]

    def everything(self, channel: str) -> list[Message]:
        """All messages of the channel, replies included, without ephemerals, oldest first."""
        return [message for message in self._messages.values() if message.channel == channel]

    def thread(self, channel: str, ts: str) -> list[Message]:
        """The replies to the message `ts`, oldest first."""
        return [m for m in self._messages.values() if m.channel == channel and m.thread_ts == ts and m.ts != ts]

    def ephemerals(self, user: str) -> list[Message]:
        """What only this person sees, oldest first; `user` is an id or a name."""
        person = self.user(user).id
        return [message for message in self._ephemerals.values() if message.only_for == person]

    def find(self, channel: str, ts: str) -> Message | None:
        """One message as it is now, be it public or ephemeral."""
        return self._messages.get((channel, ts)) or self._ephemerals.get((channel, ts))

    def user(self, who: str) -> User:
        """A person by id or name. Raises KeyError."""
        by_name = {user.name: user for user in self.users.values()}
        return self.users.get(who) or by_name[who]

    def new_id(self, prefix: str) -> str:
        """An id that is used once, such as `F00000007`."""
        return f"{prefix}{next(self._ids):08d}"

    async def wait_for(self, predicate: Callable[[], T | None], timeout: float = 10.0) -> T:  # noqa: ASYNC109 - the seam
        """The first true value of `predicate`, asked after each event. Raises TimeoutError with the last events."""
        return await self.log.wait(predicate, timeout)

    # What may be done

    def channel_to_read(self, channel: str) -> Channel:
        """A channel the bot may know of. Raises SlackRefuses."""
        found = self.channels.get(channel)
        if found is None or (found.private and BOT_USER not in found.members):
            raise SlackRefuses("channel_not_found")
        return found

    def channel_to_write(self, channel: str) -> Channel:
        """A channel the bot may write to. Raises SlackRefuses."""
        found = self.channel_to_read(channel)
        if BOT_USER not in found.members:
            raise SlackRefuses("not_in_channel")
        if found.archived:
            raise SlackRefuses("is_archived")
        return found

    def direct(self, user: str) -> Channel:
        """The bot's direct messages with one person, made at the first call."""
        for channel in self.channels.values():
            if channel.direct == user:
                return channel
        made = Channel(self.new_id("D"), f"netdiag-{user}", (user, BOT_USER), private=True, direct=user)
        self.channels[made.id] = made
        return made

    # What changes

    def post(self, message: Message, *, link_names: bool = False) -> Message:
        """Put a message (its `ts` still empty) into its channel; an ephemeral one before its person's eyes."""
        posted = msgspec.structs.replace(message, ts=self._next_ts(), text=message.text[:TEXT_MAX])
        shelf = self._ephemerals if posted.only_for else self._messages
        shelf[posted.channel, posted.ts] = posted
        self.log.add("ephemeral" if posted.only_for else "message", **self._facts(posted))
        self._alert(posted, link_names=link_names)
        return posted

    def edit(self, message: Message, **changes: Any) -> Message:
        """Change a message in place."""
        edited = msgspec.structs.replace(message, edits=message.edits + 1, **changes)
        shelf = self._ephemerals if edited.only_for else self._messages
        shelf[edited.channel, edited.ts] = edited
        self.log.add("updated", **self._facts(edited))
        self._alert(edited, link_names=False)
        return edited

    def react(self, message: Message, name: str, user: str) -> Message:
        """Add an emoji reaction. Raises SlackRefuses when this person has added it already."""
        if (name, user) in message.reactions:
            raise SlackRefuses("already_reacted")
        reacted = msgspec.structs.replace(message, reactions=(*message.reactions, (name, user)))
        self._messages[message.channel, message.ts] = reacted
        self.log.add("reaction", channel=message.channel, ts=message.ts, name=name, user=user)
        return reacted

    def remove(self, message: Message) -> None:
        """Delete a message."""
        shelf = self._ephemerals if message.only_for else self._messages
        del shelf[message.channel, message.ts]
        self.log.add("deleted", channel=message.channel, ts=message.ts, only_for=message.only_for)

    def _next_ts(self) -> str:
        return f"{int(self.clock())}.{next(self._ids):06d}"

    def _facts(self, message: Message) -> dict[str, Any]:
        return {
            "channel": message.channel,
            "ts": message.ts,
            "user": message.user,
            "thread_ts": message.thread_ts,
            "only_for": message.only_for,
            "text": message.text,
        }

    def _alert(self, message: Message, *, link_names: bool) -> None:
        for ping in pings.of_message(message.text, list(message.blocks), link_names=link_names):
            self.log.add(
                "pinged", by=message.user, channel=message.channel, ts=message.ts, **msgspec.structs.asdict(ping)
            )


def visible_text(message: Message) -> str:
    """All text that a reader of the message sees, line by line; Slack's markup is left as it is.

    A table's row is one line, its cells with bars between them; an emoji is its shortcode.
    """
    if not message.blocks:
        return message.text
    lines: list[str] = []
    _collect(list(message.blocks), lines)
    return "\n".join(lines)


def _collect(value: Any, lines: list[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _collect(item, lines)
    elif isinstance(value, dict) and value.get("type") == "table":
        lines += [" | ".join(_flat(cell) for cell in row) for row in value["rows"]]
    elif isinstance(value, dict) and value.get("type") in RICH_LINES:
        lines.append(_flat(value))
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("text", "title") and isinstance(item, str):
                lines.append(item)
            elif key != "confirm":
                _collect(item, lines)


def _flat(value: Any) -> str:
    """One line of rich text, or a cell."""
    if isinstance(value, list):
        return "".join(_flat(item) for item in value)
    if value.get("type") == "user":
        return f"<@{value['user_id']}>"
    if value.get("type") == "emoji":
        return f":{value['name']}:"
    return str(value.get("text") or value.get("url") or _flat(value.get("elements", [])))


def buttons(message: Message) -> list[dict[str, Any]]:
    """The buttons of a message in their order, each with its `block_id`."""
    found: list[dict[str, Any]] = []
    _find_buttons(list(message.blocks), "", found)
    return found


def _find_buttons(value: Any, block_id: str, found: list[dict[str, Any]]) -> None:
    if isinstance(value, list):
        for item in value:
            _find_buttons(item, block_id, found)
    elif isinstance(value, dict):
        if value.get("type") == "button":
            found.append({**value, "block_id": block_id})
            return
        for item in value.values():
            _find_buttons(item, str(value.get("block_id", block_id)), found)


def escaped(text: str) -> str:
    """Text as Slack escapes what a person types: `&`, `<` and `>`, and links in angle brackets."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"https?://[^\s|]+", lambda match: f"<{match.group()}>", plain)
