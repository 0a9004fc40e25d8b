"""What may an app answer through a response_url, or in the ack of a command? Five answers in thirty minutes."""

import secrets
from typing import Any

import msgspec

from bot.demo.errors import SlackRefuses
from bot.demo.people import BOT_USER
from bot.demo.validate import Limits, as_blocks, check
from bot.demo.world import Message, World

USES = 5
LIFE = 30 * 60.0  # seconds


class Url(msgspec.Struct, frozen=True):
    """Where one response_url leads: the channel, the person, and the message whose button was pressed (if any)."""

    channel: str
    user: str
    until: float
    message_ts: str = ""
    thread_ts: str = ""
    used: int = 0


class Replies:
    """All response_urls that were handed out."""

    def __init__(self, world: World, limits: Limits) -> None:
        self._world = world
        self._limits = limits
        self._urls: dict[str, Url] = {}

    def issue(self, channel: str, user: str, message: Message | None = None) -> str:
        """The last part of a new response_url."""
        key = secrets.token_hex(12)
        thread = message.thread_ts if message and message.in_thread else ""
        ts = message.ts if message else ""
        self._urls[key] = Url(channel, user, self._world.clock() + LIFE, ts, thread)
        return key

    def answer(self, key: str, body: dict[str, Any]) -> None:
        """Use a response_url once. Raises SlackRefuses: `expired_url`, `used_url`, `invalid_payload` and others."""
        url = self._urls.get(key)
        if url is None or self._world.clock() >= url.until:
            raise SlackRefuses("expired_url")
        if url.used >= USES:
            raise SlackRefuses("used_url")
        self._urls[key] = msgspec.structs.replace(url, used=url.used + 1)
        self.apply(body, url)

    def apply(self, body: dict[str, Any], url: Url) -> None:
        """Do what an answer says. Raises SlackRefuses."""
        original = self._world.find(url.channel, url.message_ts) if url.message_ts else None
        if body.get("delete_original"):
            if set(body) - {"delete_original"}:
                raise SlackRefuses("invalid_payload")
            if original:
                self._world.remove(original)
            return
        text, blocks = str(body.get("text") or ""), as_blocks(body.get("blocks"))
        if not text and not blocks:
            raise SlackRefuses("no_text")
        # A response_url is not hit by the limit on all blocks together (bolt-js#2867).
        check(blocks, msgspec.structs.replace(self._limits, all_blocks=0))
        if body.get("replace_original") and original:
            self._world.edit(original, text=text, blocks=tuple(blocks))
            return
        public = body.get("response_type") == "in_channel"
        thread = str(body.get("thread_ts") or url.thread_ts)
        only_for = "" if public else url.user
        self._world.post(Message(url.channel, "", BOT_USER, text, tuple(blocks), thread_ts=thread, only_for=only_for))
