"""The bot over Slack's real protocol: acknowledged whatever is away, answered once whatever comes twice."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bot.__main__ import Bot, new_id
from bot.demo.driver import Person
from bot.demo.people import APP_TOKEN, BOT_TOKEN
from bot.demo.workspace import Workspace
from bot.demo.world import visible_text
from bot.ledger import audit as trail
from bot.ledger import runs
from bot.listeners import mention
from bot.records import Run
from bot.settings import WORKERS, Settings
from tests.bot.kit import FINDING, PLAN, POLICY, TARGET
from tests.postgres import Postgres
from workers import keys
from workers.core import audit, sending, wire
from workers.core.finding import Report
from workers.core.run import State
from workers.core.tokens import Keyring
from workers.keys import load_signer

pytestmark = pytest.mark.service


class Installed(Bot):
    """The bot, and the keys with which workers speak to it."""

    def __init__(self, given: Settings) -> None:
        super().__init__(given)
        self.workers = {role: load_signer(given.keys_dir / f"{name}-lab.key") for role, name in WORKERS}


@asynccontextmanager
async def running(folder: Path, workspace: Workspace, broker: str, database: str = "") -> AsyncIterator[Installed]:
    """The bot, connected."""
    keys.generate(folder / "keys", ["lab"])
    (folder / "policy.yaml").write_text(POLICY)
    database = database or f"sqlite:///{folder / 'ledger.db'}"
    bot = Installed(
        Settings(BOT_TOKEN, APP_TOKEN, workspace.api_url, broker, database, folder / "policy.yaml", folder / "keys")
    )
    task = asyncio.create_task(bot.run())
    while not await bot.door.connected():  # noqa: ASYNC110 - the SDK tells nobody
        await asyncio.sleep(0.02)
    try:
        yield bot
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def say(bot: Installed, *events: wire.Event) -> None:
    """A worker's words."""
    for event in events:
        signer = bot.workers[sending.speaker(event)]
        await bot.broker.redis.xadd(wire.stream("lab"), dict(sending.entry(signer, "lab", event)))


async def test_acked_with_redis_away_and_the_ledger_locked(tmp_path: Path, workspace: Workspace) -> None:
    """No worker, no Redis, and a ledger that somebody holds: the ack comes at once, the run when it can."""
    alice = Person(workspace, "alice")
    async with running(tmp_path, workspace, f"redis+socket://{tmp_path}/none?virtual_host=0"):
        blocker = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        acks = await asyncio.gather(*(alice.slash(f"svc shop/s{number}") for number in range(10)))
        blocker.execute("ROLLBACK")
        blocker.close()
        assert all(ack.acked and ack.seconds < 1 for ack in acks)
        await workspace.wait_for(lambda: len(workspace.messages("C1INC")) >= 4, 10)
        await workspace.wait_for(lambda: "Waiting" in visible_text(workspace.messages("C1INC")[0]), 15)


async def test_one_command_delivered_ten_times_is_one_run(tmp_path: Path, workspace: Workspace, broker: str) -> None:
    """Slack delivers at least once; we run once."""
    async with running(tmp_path, workspace, broker):
        workspace.faults.duplicates = 10
        await Person(workspace, "alice").slash("svc shop/checkout")
        await workspace.wait_for(lambda: workspace.messages("C1INC"), 10)
        await asyncio.sleep(1.0)
        assert len(workspace.messages("C1INC")) == 1


async def test_a_mention_in_a_thread_is_answered_there(tmp_path: Path, workspace: Workspace, broker: str) -> None:
    """The run and its findings stay in the thread that asked; a typo is told to the asker alone."""
    bob = Person(workspace, "bob")
    async with running(tmp_path, workspace, broker) as bot:
        parent = await bob.say("what is this?")
        await bob.mention("svc shop/checkout", thread_ts=parent.ts)
        await workspace.wait_for(lambda: len(workspace.thread("C1INC", parent.ts)) == 2, 10)
        run = workspace.thread("C1INC", parent.ts)[1].text
        rows = sqlite3.connect(tmp_path / "ledger.db").execute("SELECT id FROM runs").fetchall()
        await say(bot, wire.RunDone(rows[0][0], 1.0, 1.0, TARGET, Report("broken", (FINDING,)), ()))
        await workspace.wait_for(lambda: len(workspace.thread("C1INC", parent.ts)) == 3, 10)
        assert "正在检查" in run  # bob reads Chinese
        await bob.mention("svcc x", thread_ts=parent.ts)
        await workspace.wait_for(lambda: bob.ephemerals, 10)
        assert bob.ephemerals[0].thread_ts == parent.ts


async def test_nobody_learns_anything_in_a_shared_channel(tmp_path: Path, workspace: Workspace, broker: str) -> None:
    """A refusal to the asker, nothing for the others; an outsider and a guest are refused as well."""
    async with running(tmp_path, workspace, broker):
        for who, channel in (("alice", "C2SHARED"), ("outsider", "C2SHARED"), ("dave-guest", "C1INC")):
            person = Person(workspace, who)
            await person.slash("svc shop/checkout", channel)
            await workspace.wait_for(lambda person=person: person.ephemerals, 10)  # type: ignore[misc]
            assert not workspace.messages(channel)


async def test_where_the_bot_is_no_member(tmp_path: Path, workspace: Workspace, broker: str) -> None:
    """The asker is told to invite it."""
    alice = Person(workspace, "alice")
    async with running(tmp_path, workspace, broker):
        await alice.slash("svc shop/checkout", "C3OPS")
        await workspace.wait_for(lambda: alice.ephemerals, 10)
        assert "/invite" in visible_text(alice.ephemerals[0])


async def test_a_press_delivered_ten_times_is_one_order(tmp_path: Path, workspace: Workspace, broker: str) -> None:
    """From the finding to the order: one grant, one task in the change queue, over a restart of the bot in between."""
    alice, bob = Person(workspace, "alice"), Person(workspace, "bob")
    async with running(tmp_path, workspace, broker) as bot:
        await alice.slash("svc shop/checkout")
        (parent,) = await workspace.wait_for(lambda: workspace.messages("C1INC"), 10)
        run = sqlite3.connect(tmp_path / "ledger.db").execute("SELECT id FROM runs").fetchone()[0]
        await say(bot, wire.RunDone(run, 1.0, 1.0, TARGET, Report("broken", (FINDING,)), ()))
        (finding,) = await workspace.wait_for(lambda: workspace.thread("C1INC", parent.ts), 10)
        await alice.press(finding.ts, "propose")
        card = await workspace.wait_for(lambda: workspace.thread("C1INC", parent.ts)[1:], 10)
        change = sqlite3.connect(tmp_path / "ledger.db").execute("SELECT id FROM approvals").fetchone()[0]
    async with running(tmp_path, workspace, broker) as bot:
        await say(bot, wire.Planned(change, 1.0, PLAN, PLAN.digest))

        def shown() -> str:
            message = workspace.find("C1INC", card[0].ts)
            assert message
            return visible_text(message)

        await workspace.wait_for(lambda: "Approval needed" in shown(), 10)
        await alice.press(card[0].ts, "approve")
        await workspace.wait_for(lambda: "another person" in visible_text(alice.ephemerals[-1]), 10)
        await bob.press(card[0].ts, "approve", times=10)
        await workspace.wait_for(lambda: "on its way" in shown(), 10)
        orders: list[bytes] = []
        while not orders:
            await asyncio.sleep(0.05)
            queued = await bot.broker.redis.lrange("netdiag:lab:change.lab", 0, -1)
            orders = [raw for raw in queued if b"netdiag.change" in raw]
        assert len(orders) == 1


def test_what_no_person_wrote_is_not_a_mention() -> None:
    """Bots and edits are not served."""
    for extra in ({"bot_id": "B1"}, {"subtype": "message_changed"}, {"user": ""}):
        event = {"user": "U1", "channel": "C1", "text": "svc x", **extra}
        assert mention.typed({"event": event, "event_id": "Ev1"}) is None


def test_ids_are_new_and_fit_into_names() -> None:
    """An id may be part of a ConfigMap's name."""
    made = {new_id("a") for _ in range(100)}
    assert len(made) == 100
    assert all(one.startswith("a-") and one == one.lower() for one in made)


@pytest.mark.parametrize("end", [Postgres.stop, Postgres.kill])
async def test_a_postgresql_that_restarts_under_load_loses_nothing(
    end: Callable[[Postgres], None], tmp_path: Path, workspace: Workspace, broker: str, postgres: Postgres
) -> None:
    """It is taken away while commands and answers come, and comes back.

    Every command is acked. Those that were written down are run once and answered, the others are told that nothing was
    started, and the audit is whole.
    """
    alice = Person(workspace, "alice")
    async with running(tmp_path, workspace, broker, postgres.emptied()) as bot:
        early = [asyncio.create_task(alice.slash(f"svc shop/s{number}")) for number in range(8)]
        await workspace.wait_for(lambda: workspace.messages("C1INC"), 10)
        await asyncio.to_thread(end, postgres)
        late = [await alice.slash(f"svc shop/t{number}") for number in range(4)]
        assert all(ack.acked and ack.seconds < 1 for ack in [*await asyncio.gather(*early), *late])
        await workspace.wait_for(lambda: len(refused(alice)) >= len(late), 20)
        await asyncio.to_thread(postgres.start)
        asked: list[Run] = []
        # More than that only if a commit was made whose answer was lost: such a person looks at the channel.
        while len(asked) + len(refused(alice)) < len(early) + len(late):
            await asyncio.sleep(0.1)
            asked = await bot.ledger.read(lambda connection: runs.in_states(connection, list(State)))
        await say(bot, *(wire.RunDone(run.id, 1.0, 1.0, TARGET, Report("healthy", ()), ()) for run in asked))
        await workspace.wait_for(lambda: len(workspace.messages("C1INC")) == len(asked), 20)
        await workspace.wait_for(
            lambda: not any("hourglass" in visible_text(one) for one in workspace.messages("C1INC")), 20
        )
        whole = await bot.ledger.read(lambda connection: audit.verify(trail.entries(connection), keyring(tmp_path)))
        assert whole.ok
        assert whole.entries == 2 * len(asked)  # each was asked and told, once


def refused(person: Person) -> list[str]:
    """What this person was told because nothing could be written down."""
    said = [visible_text(one) for one in person.ephemerals]
    return [text for text in said if "cannot write this down" in text]


def keyring(folder: Path) -> Keyring:
    """Whoever signs the audit."""
    return keys.load_keyring([folder / "keys" / "bot.pub"])
