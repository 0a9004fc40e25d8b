"""The one door to Slack: nothing lost, nothing twice, never too fast, and every no of Slack has its answer."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection

from bot import notifier
from bot.buckets import Bucket
from bot.cards.text import Drawn
from bot.ledger import outbox, runs
from bot.ledger.outbox import Reply
from bot.notifier import Notifier
from bot.records import Message
from tests.bot.fake_slack import FakeSlack
from tests.bot.kit import Kit
from workers.core.errors import NotAllowed


class Stage:
    """A notifier that draws what a test says."""

    def __init__(self, kit: Kit, slack: FakeSlack) -> None:
        self.kit = kit
        self.slack = slack
        self.texts: dict[str, str] = {}
        self.shared = ""
        self.steady = 0.0
        self.notifier = self.another()

    def another(self) -> Notifier:
        """A notifier as it is after a restart."""
        client = AsyncWebClient("xoxb-x", base_url=f"{self.slack.url}/api/", timeout=5)
        return Notifier(self.kit.ledger, client, self._draw, own=self._own, now=self.kit.now, clock=lambda: self.steady)

    def _draw(self, connection: Connection, key: str) -> Drawn | None:
        del connection
        if key.endswith("broken"):
            raise KeyError(key)
        return Drawn(self.texts[key]) if key in self.texts else None

    async def _own(self, channel: str) -> None:
        if self.shared:
            raise NotAllowed(self.shared, channel)

    def show(self, key: str, text: str, *, channel: str = "C1", parent: str = "", thread: str = "") -> None:
        """The message `key` should show this."""
        self.texts[key] = text

        def work(connection: Connection) -> None:
            outbox.add_message(connection, Message(key, channel, thread, parent, "", ""))
            outbox.redraw(connection, key, now=self.kit.now())

        self.kit.write(work)

    def ts(self, key: str) -> str:
        """Where the message is."""
        found = self.kit.read(lambda connection: outbox.message(connection, key))
        assert found
        return found.ts

    def left(self) -> int:
        """How many rows are still in the outbox."""
        return len(self.kit.read(lambda connection: outbox.due(connection, ("card", "reply"), now=1e12)))

    async def settle(self, until: Callable[[], bool] | None = None) -> None:
        """Speak until nothing is left (or `until` holds)."""
        for _ in range(300):
            await self.notifier.round()
            await asyncio.sleep(0.01)
            if (until or (lambda: self.left() == 0))() and not self.notifier._busy:
                return
        raise AssertionError(self.slack.calls)


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A small Slack."""
    async with FakeSlack() as fake:
        yield fake


@pytest.fixture
def stage(kit: Kit, slack: FakeSlack) -> Stage:
    """A notifier before it."""
    return Stage(kit, slack)


async def test_post_then_edit(stage: Stage) -> None:
    """The first drawing is posted, the next edits it, an equal one is not sent."""
    stage.show("run:1", "one")
    await stage.settle()
    stage.show("run:1", "two")
    await stage.settle()
    stage.show("run:1", "two")
    await stage.settle()
    assert [params["text"] for params in stage.slack.of("chat.postMessage")] == ["one"]
    assert [(params["text"], params["ts"]) for params in stage.slack.of("chat.update")] == [("two", stage.ts("run:1"))]


async def test_a_thread_waits_for_its_parent_and_keeps_its_order(stage: Stage) -> None:
    """Findings are posted under the run's message, in their order; in an existing thread they go there."""
    stage.show("finding:1:0", "first", parent="run:1")
    stage.show("finding:1:1", "second", parent="run:1")
    stage.show("run:1", "parent")
    await stage.settle()
    posts = stage.slack.of("chat.postMessage")
    assert [params["text"] for params in posts] == ["parent", "first", "second"]
    assert {params["thread_ts"] for params in posts[1:]} == {stage.ts("run:1")}
    stage.show("run:2", "there", thread="9.9")
    await stage.settle()
    assert stage.slack.of("chat.postMessage")[-1]["thread_ts"] == "9.9"


async def test_a_burst_of_changes_is_one_edit(stage: Stage) -> None:
    """Once the bucket is empty changes pile up, and the latest alone is sent."""
    stage.show("run:1", "0")
    await stage.settle()
    while not stage.notifier._updates.take(stage.steady):
        pass
    for number in range(1, 50):
        stage.show("run:1", str(number))
        await stage.notifier.round()
    stage.steady += 2.0
    await stage.settle()
    assert [params["text"] for params in stage.slack.of("chat.update")] == ["49"]


async def test_too_fast_is_obeyed(stage: Stage) -> None:
    """After a 429 nothing of its kind is sent before Retry-After, and then it is."""
    stage.show("run:1", "a")
    await stage.settle()
    stage.slack.next("chat.update", 1)
    stage.show("run:1", "b")
    stage.show("run:2", "posts go on")
    for _ in range(30):
        await stage.notifier.round()
        await asyncio.sleep(0.01)
    assert [params["text"] for params in stage.slack.of("chat.postMessage")] == ["a", "posts go on"]
    assert (stage.slack.of("chat.update"), list(stage.notifier._busy)) == ([], ["update"])
    stage.steady += 2.5
    await stage.settle()
    assert [params["text"] for params in stage.slack.of("chat.update")] == ["b"]


@pytest.mark.parametrize("error", sorted(notifier.FINAL))
async def test_a_message_that_cannot_be_edited_is_posted_anew(stage: Stage, error: str) -> None:
    """The pointer moves to the new message."""
    stage.show("run:1", "a")
    await stage.settle()
    old = stage.ts("run:1")
    stage.slack.next("chat.update", error)
    stage.show("run:1", "b")
    await stage.settle()
    assert stage.slack.of("chat.postMessage")[-1]["text"] == "b"
    assert stage.ts("run:1") != old


async def test_where_we_are_not_a_member_the_asker_is_told_once(stage: Stage, kit: Kit) -> None:
    """Said through the response_url; posted when we are invited; given up after half an hour."""
    run = kit.ask()
    stage.texts[f"run:{run.id}"] = "late"
    kit.write(lambda connection: connection.exec_driver_sql("UPDATE outbox SET kind = 'off' WHERE kind = 'task'"))
    _point(kit, run.id, f"{stage.slack.url}/response")
    stage.slack.next("chat.postMessage", "not_in_channel", "not_in_channel")
    await stage.settle(lambda: len(stage.slack.said) == 1)
    kit.now.now += 20
    await stage.settle(lambda: not stage.slack.answers["chat.postMessage"])
    kit.now.now += 20
    await stage.settle()
    assert "/invite" in stage.slack.said[0]["text"]
    assert len(stage.slack.said) == 1
    assert stage.ts(f"run:{run.id}")
    stage.slack.next("chat.postMessage", *["not_in_channel"] * 3)
    stage.show("run:9", "never")
    kit.now.now += notifier.GIVE_UP + 1
    await stage.settle()
    assert not stage.ts("run:9")


def _point(kit: Kit, run_id: str, url: str) -> None:
    def work(connection: Connection) -> None:
        run = runs.get(connection, run_id)
        assert run
        runs.save(connection, run, msgspec.structs.replace(run, response_url=url))

    kit.write(work)


async def test_a_card_that_slack_does_not_take_is_said_plainly(stage: Stage) -> None:
    """Bad blocks lose the card, not what it says."""
    stage.show("run:1", "words")
    stage.slack.next("chat.postMessage", "invalid_blocks")
    await stage.settle()
    (post,) = stage.slack.of("chat.postMessage")
    assert (post["text"], post.get("blocks", [])) == ("words", [])


@pytest.mark.parametrize("answer", [500, "internal_error", "fatal_error"])
async def test_an_unwell_slack_is_tried_again(stage: Stage, kit: Kit, answer: str | int) -> None:
    """With growing pauses, until it is well."""
    stage.slack.next("chat.postMessage", answer, answer)
    stage.show("run:1", "a")
    for _ in range(4):
        await stage.settle(lambda: True)
        await asyncio.sleep(0.05)
        kit.now.now += 5
    await stage.settle()
    assert len(stage.slack.of("chat.postMessage")) == 1


async def test_nothing_is_lost_over_a_restart(stage: Stage, kit: Kit) -> None:
    """What was not said by the first notifier is said by the next, on the same message."""
    stage.show("run:1", "a")
    await stage.settle()
    stage.show("run:1", "b")
    stage.show("finding:1:0", "f", parent="run:1")
    stage.notifier = stage.another()
    await stage.settle()
    assert stage.slack.of("chat.update")[0]["ts"] == stage.ts("run:1")
    assert stage.slack.of("chat.postMessage")[-1]["thread_ts"] == stage.ts("run:1")
    del kit


async def test_a_card_that_cannot_be_drawn_silences_no_other(stage: Stage) -> None:
    """The others are posted; what has nothing to show is forgotten."""
    stage.show("run:broken", "x")
    stage.show("run:nothing", "x", channel="C2")
    del stage.texts["run:nothing"]
    stage.show("run:1", "fine", channel="C3")
    await stage.settle(lambda: bool(stage.ts("run:1")) and stage.left() == 1)


async def test_no_evidence_in_a_channel_that_is_shared_meanwhile(stage: Stage, kit: Kit) -> None:
    """Shared: never shown. Not to be told at the moment: later."""
    stage.shared = "cannot-tell"
    stage.show("run:1", "a")
    await stage.settle(lambda: not stage.notifier._busy)
    await asyncio.sleep(0.05)
    assert (stage.left(), stage.slack.calls) == (1, [])
    stage.shared = "shared-channel"
    kit.now.now += 60
    await stage.settle()
    assert stage.slack.calls == []


async def test_replies_go_by_the_response_url_or_as_ephemerals(stage: Stage, kit: Kit) -> None:
    """A used up response_url is no reason to stay silent."""
    url = f"{stage.slack.url}/response"
    for key, address in (("one", url), ("two", "")):
        reply = Reply("C1", "U1", f"text {key}", thread="1.1", response_url=address)
        kit.write(lambda connection, key=key, reply=reply: outbox.reply(connection, key, reply, now=kit.now()))  # type: ignore[misc]
    await stage.settle()
    (said,) = stage.slack.said
    assert (said["text"], said["response_type"], said["replace_original"]) == ("text one", "ephemeral", False)
    (posted,) = stage.slack.of("chat.postEphemeral")
    assert (posted["text"], posted["user"], posted["thread_ts"]) == ("text two", "U1", "1.1")
    stage.slack.response_status = 404
    assert await stage.notifier.say_now(Reply("C1", "U1", "again", response_url=url))
    assert stage.slack.of("chat.postEphemeral")[-1]["text"] == "again"


async def test_a_reply_that_cannot_be_said_is_given_up(stage: Stage, kit: Kit) -> None:
    """After half an hour nobody waits for it."""
    stage.slack.next("chat.postEphemeral", *["user_not_in_channel"] * 2)
    kit.write(lambda connection: outbox.reply(connection, "k", Reply("C1", "U1", "x"), now=kit.now()))
    await stage.settle(lambda: len(stage.slack.answers["chat.postEphemeral"]) == 1)
    kit.now.now += notifier.GIVE_UP + 1
    await stage.settle()
    stage.slack.next("chat.postEphemeral", "user_not_in_channel")
    assert not await stage.notifier.say_now(Reply("C1", "U1", "x"))


def test_the_bucket() -> None:
    """A burst at once, then the rate; shut means shut, without a burst after it."""
    bucket = Bucket(0.5, 2)
    assert [bucket.take(100.0), bucket.take(100.0)] == [0.0, 0.0]
    assert bucket.take(100.0) == pytest.approx(2.0)
    assert bucket.take(102.0) == 0.0
    bucket.shut(102.0, 30.0)
    assert bucket.take(110.0) == pytest.approx(22.0)
    assert bucket.take(132.0) > 0
    assert bucket.take(134.0) == 0.0
