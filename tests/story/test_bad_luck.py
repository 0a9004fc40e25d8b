"""What can go wrong between people, Slack, Redis, the bot and the workers; the evidence is recorded."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo.driver import Person
from bot.demo.house import House
from bot.demo.workspace import Workspace
from bot.demo.world import buttons, visible_text
from tests.story.house import CHANNEL, Broker, Scene, kill, scene

pytestmark = [pytest.mark.service, pytest.mark.timeout(180)]


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Scene]:
    """The demo's house, with a broker of the test's own."""

    def make(workspace: Workspace, broker: Broker) -> House:
        return House(tmp_path / "demo", api_url=workspace.api_url, broker_url=broker.url, environment=os.environ)

    async with scene(make) as one:
        yield one


async def test_without_workers_it_acks_says_that_it_waits_and_delivers_later(told: Scene) -> None:
    """All workers are stopped: acked at once, the message says that the run waits, and it is told when one is back."""
    await told.house.stop("look")
    ack = await told.alice.slash("svc checkout")
    assert ack.acked
    assert ack.seconds < 1
    await told.until(lambda: told.workspace.messages(CHANNEL))
    run = told.workspace.messages(CHANNEL)[-1]
    await told.until(lambda: "aiting" in told.first_line(run.ts))
    await told.house.start("look")
    assert "kube-proxy on node-2" in await told.over(run.ts)


async def test_redis_away_at_the_moment_of_the_command(told: Scene) -> None:
    """Redis is gone when the command comes: acked, kept in the ledger, run when Redis is back with nothing in it."""
    told.broker.stop()
    ack = await told.alice.slash("svc checkout")
    assert ack.acked
    await told.until(lambda: told.workspace.messages(CHANNEL))
    run = told.workspace.messages(CHANNEL)[-1]
    await asyncio.sleep(1)
    told.broker.start()
    assert "kube-proxy on node-2" in await told.over(run.ts)


async def test_a_look_worker_that_is_killed_in_the_middle(told: Scene) -> None:
    """SIGKILL while it looks: the next one tells the run's end, when Redis hands the task over after a minute."""
    run = await told.ask("svc checkout")
    kill(told.house, "look")
    await told.house.start("look")
    assert "kube-proxy on node-2" in await told.over(run.ts)


async def test_the_bot_is_killed_between_question_and_answer(told: Scene) -> None:
    """The bot dies with a card on the screen: started again, it takes the press, and the change is made once."""
    run = await told.ask("svc checkout")
    card = await told.card(run.ts)
    kill(told.house, "bot")
    await told.until(lambda: not told.workspace.links.links)
    await told.house.start("bot")
    await told.until(lambda: told.workspace.links.links)
    await told.bob.press(card.ts, "approve")
    assert "white_check_mark" in await told.ended(card.ts)


async def test_ten_deliveries_of_a_press_are_one(told: Scene) -> None:
    """Slack delivers propose and approve ten times each: one card, one grant, one order, one change."""
    run = await told.ask("svc checkout")
    finding = await told.until(lambda: told.with_button(run.ts, "propose"))
    await told.alice.press(finding.ts, "propose", times=10)  # type: ignore[attr-defined]  # a message
    card = await told.until(lambda: told.with_button(run.ts, "approve"))
    await told.bob.press(card.ts, "approve", times=10)  # type: ignore[attr-defined]  # a message
    await told.ended(card.ts)  # type: ignore[attr-defined]  # a message
    events = [entry["event"] for entry in await told.audit()]
    for event in ("proposed", "granted", "order-sent", "started", "applied", "ended"):
        assert events.count(event) == 1, events


async def test_two_people_press_at_once(told: Scene) -> None:
    """Two people approve in the same moment: one grant counts, the other hears that it is decided."""
    run = await told.ask("svc checkout")
    card = await told.card(run.ts)
    await asyncio.gather(told.bob.press(card.ts, "approve"), told.carol.press(card.ts, "approve"))
    await told.ended(card.ts)
    events = [entry["event"] for entry in await told.audit()]
    assert events.count("granted") == 1
    assert events.count("press-refused") == 1


@pytest.mark.parametrize("way", ["deny", "withdraw"])
async def test_a_no_ends_the_card_visibly(told: Scene, way: str) -> None:
    """Denied by another person, or withdrawn by the one who asked: the buttons go, the trail knows who."""
    run = await told.ask("svc checkout")
    card = await told.card(run.ts)
    who = told.bob if way == "deny" else told.alice
    await who.press(card.ts, way)
    await told.until(lambda: not buttons(told.workspace.find(CHANNEL, card.ts)))  # type: ignore[arg-type]  # it is there
    last = (await told.audit())[-1]
    assert (last["event"], last["actor"]) == ({"deny": "denied", "withdraw": "withdrawn"}[way], who.user.name)


async def test_nobody_presses_in_time(tmp_path: Path) -> None:
    """The card's time runs out: the buttons go, the trail says so, and a late press is told why."""

    class Hasty(House):
        def prepare(self) -> None:
            super().prepare()
            policy = self.folder / "policy.yaml"
            policy.write_text(policy.read_text().replace("expires_minutes: 15", "expires_minutes: 0.1"))

    def make(workspace: Workspace, broker: Broker) -> House:
        return Hasty(tmp_path / "demo", api_url=workspace.api_url, broker_url=broker.url, environment=os.environ)

    async with scene(make) as told:
        run = await told.ask("svc checkout")
        card = await told.card(run.ts)
        await told.until(lambda: not buttons(told.workspace.find(CHANNEL, card.ts)))  # type: ignore[arg-type]  # it is there
        assert [entry["event"] for entry in await told.audit()][-1] == "expired"
        assert "xpired" in told.shown(card.ts)


async def test_a_guest_cannot_press(told: Scene) -> None:
    """A guest of the workspace, who sees the card, is refused visibly; the card stays as it is, and it is audited."""
    guest = Person(told.workspace, "U4GUEST")
    run = await told.ask("svc checkout")
    card = await told.card(run.ts)
    await guest.press(card.ts, "approve")
    await told.until(lambda: guest.ephemerals)
    assert told.with_button(run.ts, "approve")
    assert (await told.audit())[-1]["event"] == "press-refused"


@pytest.mark.parametrize("who", ["guest", "outsider"])
async def test_a_stranger_gets_a_refusal_and_no_evidence(told: Scene, who: str) -> None:
    """A guest, and somebody of another workspace: refused where they see it, audited, and no run begins."""
    channel = {"guest": "C1INC", "outsider": "C2SHARED"}[who]
    person = Person(told.workspace, {"guest": "U4GUEST", "outsider": "U9OUT"}[who])
    await person.slash("svc checkout", channel=channel)
    await told.until(lambda: person.ephemerals)
    assert not told.workspace.messages(channel)
    assert [entry["event"] for entry in await told.audit()] == ["run-refused"]


async def test_a_shared_channel_gets_a_refusal_and_no_evidence(told: Scene) -> None:
    """Where another company reads along, even alice gets nothing but the reason."""
    await told.alice.slash("svc checkout", channel="C2SHARED")
    await told.until(lambda: told.alice.ephemerals)
    assert "shared" in visible_text(told.alice.ephemerals[-1])
    assert not told.workspace.messages("C2SHARED")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("svx checkout", "svc checkout"),
        ("svc <!channel>", "name"),
        ("svc", "svc shop/checkout"),
        ("svc a b c", "svc"),
        ("svc 'checkout", "uot"),
        ("", "svc shop/checkout"),
        ("help", "svc shop/checkout"),
    ],
)
async def test_what_is_typed_wrongly_is_answered_with_what_to_type(told: Scene, typed: str, says: str) -> None:
    """Only the typist sees it; nobody is alerted, whatever was typed."""
    ack = await told.alice.slash(typed)
    assert ack.acked
    await told.until(lambda: told.alice.ephemerals)
    assert says in visible_text(told.alice.ephemerals[-1])
    assert not told.workspace.log.of("pinged")


async def test_pretty_quotes_and_links_are_understood(told: Scene) -> None:
    """What Slack and a phone make of a name is undone: curly quotes, a link, a non-breaking space."""
    run = await told.ask("svc\u00a0\u201ccheckout\u201d")
    assert "kube-proxy on node-2" in await told.over(run.ts)


async def test_a_mention_in_a_thread_is_answered_there(told: Scene) -> None:
    """Slack knows no slash commands in threads; a mention does it."""
    parent = await told.alice.say("checkout is down for some customers")
    await told.alice.mention("svc checkout", thread_ts=parent.ts)
    await told.until(lambda: "kube-proxy on node-2" in told.thread(parent.ts))
