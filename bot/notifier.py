"""What has to be said in Slack, and how fast may we say it? The one door to Slack's writing methods.

Cards are drawn when they are sent, not when they change, so the latest state wins and a burst of changes is one edit.
All edits share one budget, since chat.update is limited for the whole workspace; new messages have one a channel.
A row leaves the outbox when Slack has taken it: nothing is lost over a restart. If the bot dies between Slack's yes and
its own note of it, that message comes twice; Slack has no way to prevent that.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import msgspec
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from sqlalchemy import Connection

from bot.buckets import Bucket
from bot.cards import words
from bot.cards.text import Drawn
from bot.ledger import Ledger, outbox, runs
from bot.ledger.outbox import Reply, Row
from bot.records import Message
from workers.core.errors import NetdiagError, NotAllowed, TryAgain

LOG = structlog.get_logger("notifier")
Draw = Callable[[Connection, str], Drawn | None]
UPDATES = (45 / 60, 10)  # a second, at once; Tier 3 is 50 a minute and more
POSTS = (1.0, 4)  # a second and channel, at once
GATHER = 0.02  # seconds between rounds at least: what comes in a burst is looked at together
LAST_WORDS = 3.0  # seconds for what is under way when we stop
IDLE = 0.5  # seconds between rounds when nothing calls for one
LONGEST = 60.0  # seconds between two tries
GIVE_UP = 1800.0  # seconds; a response_url lives as long, and a channel without us is not waited for longer
ASIDE = 15.0  # seconds between tries while we are not in the channel
REPLIES_AT_ONCE = 8
# The message cannot be edited, and never will be: say it in a new one.
FINAL = frozenset({"message_not_found", "edit_window_closed", "cant_update_message"})
NOT_HERE = frozenset({"not_in_channel", "channel_not_found", "is_archived"})
BAD_CARD = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "invalid_arguments", "no_text"}
)


class Notifier:
    """Empties the outbox's cards and replies into Slack. `now`: wall clock; `clock`: a steady one for the buckets.

    own: raises NotAllowed when a channel is not ours alone: no evidence may be shown there.
    """

    def __init__(
        self,
        ledger: Ledger,
        client: AsyncWebClient,
        draw: Draw,
        *,
        own: Callable[[str], Awaitable[None]],
        now: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._draw = draw
        self._own = own
        self._now = now
        self._clock = clock
        self._updates = Bucket(*UPDATES)
        self._posts: dict[str, Bucket] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        ledger.heard.append(self._news.set)

    async def run(self) -> None:
        """Speak until cancelled."""
        try:
            while True:
                self._news.clear()
                try:
                    await self.round()
                except TryAgain as error:
                    LOG.warning("ledger-away", error=str(error))
                    await asyncio.sleep(IDLE)
                await asyncio.sleep(GATHER)
                with suppress(TimeoutError):
                    # Not wait_for: Python 3.11's may swallow a cancellation that comes together with the news.
                    async with asyncio.timeout(IDLE):
                        await self._news.wait()
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """Let the calls that are under way end: one that Slack took and we did not note would be made twice."""
        tasks = list(self._busy.values())
        if tasks:
            _, slow = await asyncio.wait(tasks, timeout=LAST_WORDS)
            for task in slow:
                task.cancel()

    async def round(self) -> None:
        """Start what can leave now: one call a lane at a time."""
        for row, channel, ts in await self._ledger.read(lambda c: outbox.sayable(c, now=self._now())):
            lane = _lane(row, channel, ts)
            if lane in self._busy or (row.kind == "reply" and len(self._busy) >= REPLIES_AT_ONCE):
                continue
            self._busy[lane] = asyncio.create_task(self._leave(lane, row), name=f"notifier {lane}")

    async def say_now(self, reply: Reply) -> bool:
        """Say something to one person past the outbox: for when there is no ledger. Was it said?"""
        try:
            await self._reply(reply)
        except (SlackApiError, aiohttp.ClientError, OSError) as error:
            LOG.warning("reply-not-said", error=str(error))
            return False
        return True

    async def _leave(self, lane: str, row: Row) -> None:
        try:
            if row.kind == "reply":
                await self._leave_reply(row)
            else:
                await self._leave_card(row)
        except SlackApiError as error:
            await self._refused(lane, row, error)
        except (aiohttp.ClientError, OSError, NetdiagError, ValueError) as error:
            LOG.warning("slack-away", key=row.key, error=f"{type(error).__name__}: {error}")
            await self._again(row, min(2.0**row.tries, LONGEST))
        except Exception:
            # The one place that catches widely: a card that cannot be drawn must not silence the others.
            LOG.exception("card-failed", key=row.key)
            await self._again(row, LONGEST)
        finally:
            del self._busy[lane]
            self._news.set()

    # Cards

    async def _leave_card(self, row: Row) -> None:
        message, drawn, thread = await self._ledger.read(lambda connection: self._look(connection, row.key))
        if message is None or drawn is None or message.hash == _hash(drawn):
            await self._ledger.write(lambda connection: outbox.done(connection, row, now=self._now()))
            return
        if not await self._may_show(row, message.channel):
            return
        bucket = self._updates if message.ts else self._posts.setdefault(message.channel, Bucket(*POSTS))
        if wait := bucket.take(self._clock()):
            await asyncio.sleep(wait)
            return  # the lane is free again: what is drawn next is what is so then
        ts = await self._send(message, drawn, thread)
        digest = _hash(drawn)

        def sent(connection: Connection) -> None:
            outbox.posted(connection, message.key, ts=ts, digest=digest)
            outbox.done(connection, row, now=self._now())

        await self._note(sent)

    def _look(self, connection: Connection, key: str) -> tuple[Message | None, Drawn | None, str]:
        message = outbox.message(connection, key)
        if message is None:
            return None, None, ""
        parent = outbox.message(connection, message.parent) if message.parent else None
        thread = message.thread or (parent.ts if parent else "")
        return message, self._draw(connection, key), thread

    async def _may_show(self, row: Row, channel: str) -> bool:
        try:
            await self._own(channel)
        except NotAllowed as refused:
            if refused.reason == "shared-channel":
                LOG.warning("not-shown", key=row.key, channel=channel, reason=refused.reason)
                await self._ledger.write(lambda connection: outbox.done(connection, row, now=self._now()))
            else:
                await self._aside(row)
            return False
        return True

    async def _send(self, message: Message, drawn: Drawn, thread: str) -> str:
        blocks = list(drawn.blocks)
        if message.ts:
            await self._client.chat_update(
                channel=message.channel, ts=message.ts, text=drawn.text, blocks=blocks, parse="none"
            )
            return message.ts
        response = await self._client.chat_postMessage(
            channel=message.channel,
            text=drawn.text,
            blocks=blocks,
            thread_ts=thread or None,
            parse="none",
            unfurl_links=False,
            unfurl_media=False,
        )
        LOG.info("posted", key=message.key, channel=message.channel)
        return str(response["ts"])

    # Replies

    async def _leave_reply(self, row: Row) -> None:
        await self._reply(msgspec.json.decode(row.payload, type=Reply))
        await self._note(lambda connection: outbox.done(connection, row, now=self._now()))

    async def _reply(self, reply: Reply) -> None:
        """By the response_url, which works where we are no member; else, or if it is used up, by chat.postEphemeral."""
        if reply.response_url:
            body: dict[str, Any] = {"response_type": "ephemeral", "replace_original": False, "text": reply.text}
            body |= {"blocks": list(reply.blocks)} if reply.blocks else {}
            body |= {"thread_ts": reply.thread} if reply.thread else {}
            if (await AsyncWebhookClient(reply.response_url, timeout=10).send_dict(body)).status_code < 300:  # noqa: PLR2004 - HTTP's successes
                return
        await self._client.chat_postEphemeral(
            channel=reply.channel,
            user=reply.account,
            text=reply.text,
            blocks=list(reply.blocks) or None,
            thread_ts=reply.thread or None,
            parse="none",
        )

    # When Slack says no

    async def _refused(self, lane: str, row: Row, error: SlackApiError) -> None:
        reason = str(error.response.get("error"))
        if error.response.status_code == 429 or reason == "ratelimited":  # noqa: PLR2004 - Too Many Requests
            await self._slower(lane, row, float(error.response.headers.get("Retry-After", 1)))
        elif row.kind == "card" and reason in FINAL:
            LOG.info("message-gone", key=row.key, error=reason)
            await self._ledger.write(lambda connection: outbox.posted(connection, row.key, ts="", digest=""))
        elif row.kind == "card" and reason in NOT_HERE:
            await self._aside(row)
        elif row.kind == "card" and reason in BAD_CARD:
            LOG.error("card-refused", key=row.key, error=reason, errors=error.response.get("errors"))
            await self._in_plain_words(row)
        elif row.kind == "reply" and self._now() - row.created > GIVE_UP:
            await self._ledger.write(lambda connection: outbox.done(connection, row, now=self._now()))
        else:
            LOG.warning("slack-refused", key=row.key, error=reason)
            await self._again(row, min(2.0**row.tries, LONGEST))

    async def _slower(self, lane: str, row: Row, seconds: float) -> None:
        LOG.info("rate-limited", key=row.key, retry_after=seconds)
        if lane == "update":
            self._updates.shut(self._clock(), seconds)
        elif lane.startswith("post "):
            self._posts[lane.removeprefix("post ")].shut(self._clock(), seconds)
        else:
            await self._again(row, seconds)

    async def _note(self, work: Callable[[Connection], None]) -> None:
        """Write down what Slack took, however long the ledger is away: else it would be said twice."""
        while True:
            try:
                return await self._ledger.write(work)
            except TryAgain as error:
                LOG.warning("ledger-away", error=str(error))
                await asyncio.sleep(IDLE)

    async def _again(self, row: Row, seconds: float) -> None:
        try:
            await self._ledger.write(lambda connection: outbox.later(connection, row, due=self._now() + seconds))
        except TryAgain as error:
            LOG.warning("ledger-away", error=str(error))
            await asyncio.sleep(IDLE)

    async def _aside(self, row: Row) -> None:
        """We cannot write there: tell the one who asked, once, and wait to be invited."""
        if self._now() - row.created > GIVE_UP:
            LOG.warning("never-invited", key=row.key)
            await self._ledger.write(lambda connection: outbox.done(connection, row, now=self._now()))
            return
        if row.tries == 0 and row.key.startswith("run:"):
            await self._ledger.write(lambda connection: self._tell_aside(connection, row.key.removeprefix("run:")))
        await self._again(row, ASIDE)

    def _tell_aside(self, connection: Connection, run_id: str) -> None:
        run = runs.get(connection, run_id)
        if run and run.response_url:
            text = words.say(run.language, "trouble.not-in-channel", run=run.id)
            reply = Reply(run.place.channel, run.account, text, response_url=run.response_url)
            outbox.reply(connection, f"aside {run.id}", reply, now=self._now())

    async def _in_plain_words(self, row: Row) -> None:
        """A card that Slack does not take is said as its text: better plain than lost."""
        message, drawn, thread = await self._ledger.read(lambda connection: self._look(connection, row.key))
        if message is None or drawn is None:
            return
        try:
            ts = await self._send(message, Drawn(drawn.text), thread)
        except (SlackApiError, aiohttp.ClientError, OSError) as error:
            LOG.error("card-lost-for-now", key=row.key, error=str(error))  # noqa: TRY400 - the cause was logged before
            await self._again(row, LONGEST)
            return

        def sent(connection: Connection) -> None:
            outbox.posted(connection, message.key, ts=ts, digest=_hash(drawn))
            outbox.done(connection, row, now=self._now())

        await self._ledger.write(sent)


def _lane(row: Row, channel: str, ts: str) -> str:
    if row.kind == "reply":
        return f"reply {row.key}"
    return "update" if ts else f"post {channel}"


def _hash(drawn: Drawn) -> str:
    return hashlib.sha256(msgspec.json.encode(drawn)).hexdigest()
