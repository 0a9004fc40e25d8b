"""What people type and press is answered once, visibly, and every refusal is in the audit."""

import asyncio
import sqlite3
import time

import msgspec
import pytest

from bot.access import Access
from bot.desk import Desk, Pressed, Typed
from bot.ledger import audit as trail
from bot.ledger import changes, outbox, runs
from bot.ledger.outbox import Reply
from tests.bot.kit import PLAN, Kit, Slack
from workers.core import wire
from workers.core.approval import State
from workers.core.run import State as RunState


class Front:
    """A desk over the kit, with what it said past the ledger."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.slack = Slack()
        self.said: list[Reply] = []
        access = Access(kit.policy, self.slack, clock=kit.now)
        self.desk = Desk(kit.ledger, access, kit.runs, kit.approvals, kit.scribe, say_now=self._say, now=kit.now)

    async def _say(self, reply: Reply) -> bool:
        self.said.append(reply)
        return True

    async def type(self, text: str, account: str = "U1ALICE", channel: str = "C1INC", key: str = "") -> None:
        """A command."""
        await self.desk.typed(Typed(key or f"k{time.monotonic_ns()}", account, channel, text, response_url="http://r"))

    async def press(self, action: str, value: str, account: str, key: str = "", team: str = "T0SIM") -> None:
        """A press."""
        key = key or f"k{time.monotonic_ns()}{account}"
        await self.desk.pressed(Pressed(key, account, "C1INC", action, value, team, response_url="http://r"))

    def replies(self) -> list[Reply]:
        """What is to be said to single people."""
        rows = self.kit.read(lambda connection: outbox.due(connection, ("reply",), now=self.kit.now()))
        return [msgspec.json.decode(row.payload, type=Reply) for row in rows]

    def runs(self) -> int:
        """How many runs there are."""
        return len(self.kit.read(lambda connection: runs.in_states(connection, list(RunState))))


@pytest.fixture
def front(kit: Kit) -> Front:
    """The desk, open."""
    return Front(kit)


async def test_a_command_is_a_run(front: Front) -> None:
    """A single cluster need not be typed; message and task are on their way."""
    await front.type("svc shop/checkout", key="once")
    await front.type("svc shop/checkout", key="once")
    assert (front.runs(), front.kit.events(), front.replies()) == (1, ["run-asked"], [])
    rows = front.kit.read(lambda connection: outbox.due(connection, ("card", "task"), now=front.kit.now()))
    assert sorted(row.kind for row in rows) == ["card", "task"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("svcs shop/checkout", "Did you mean"),
        ("svc", "needs a name"),
        ("svc “checkout", "quotation"),
        ("svc x --cluster prod", "no cluster prod; known here: lab"),
        ("svc &lt;!channel&gt;", "cannot be a name"),
    ],
)
async def test_bad_input_is_answered_with_what_to_type(front: Front, text: str, said: str) -> None:
    """The sentence says what to type, and what was typed is repeated, escaped."""
    await front.type(text)
    (reply,) = front.replies()
    assert said in reply.text
    assert "<!" not in reply.text
    assert (front.runs(), reply.response_url) == (0, "http://r")


async def test_several_clusters_must_be_named(kit: Kit) -> None:
    """With two clusters the sentence names them; one of another channel is refused."""
    kit.policy = msgspec.structs.replace(
        kit.policy, clusters={name: type(kit.policy.clusters["lab"])(channels) for name, channels in CLUSTERS.items()}
    )
    front = Front(kit)
    await front.type("svc checkout")
    await front.type("svc checkout --cluster far")
    await front.type("svc checkout --cluster prod")
    assert "lab, prod" in front.replies()[0].text
    assert kit.events() == ["run-refused", "run-asked"]
    assert front.runs() == 1


CLUSTERS: dict[str, tuple[str, ...]] = {"lab": (), "prod": ("C1INC",), "far": ("C7",)}


@pytest.mark.parametrize(
    ("account", "channel", "reason"),
    [
        ("U4GUEST", "C1INC", "guest"),
        ("U9OUT", "C1INC", "other-workspace"),
        ("U7EVE", "C1INC", "unknown-person"),
        ("U6DORA", "C1INC", "no-role-look"),
        ("U1ALICE", "C2SHARED", "shared-channel"),
        ("U1ALICE", "C0NONE", "cannot-tell"),
    ],
)
async def test_who_may_not_ask_is_told_and_audited(front: Front, account: str, channel: str, reason: str) -> None:
    """No run; one sentence to this person alone; one audit entry with the reason and who it was."""
    await front.type("svc shop/checkout", account, channel)
    assert (front.runs(), front.kit.events(), len(front.replies())) == (0, ["run-refused"], 1)
    entry = front.kit.read(lambda connection: list(trail.entries(connection)))[0].body
    assert (entry["data"]["reason"], entry["data"]["account"]) == (reason, account)


async def test_help_lists_what_this_person_may_run(front: Front) -> None:
    """Nothing typed is help; carol may not read the audit, dora may do nothing."""
    for account in ("U1ALICE", "U3CAROL", "U6DORA"):
        await front.type("", account)
    alice, carol, dora = (reply.text for reply in front.replies())
    assert "/netdiag svc shop/checkout" in alice
    assert "/netdiag audit" in alice
    assert "/netdiag svc shop/checkout" in carol
    assert "/netdiag audit" not in carol
    assert "no right to run anything" in dora


async def test_audit_shows_the_last_entries(front: Front) -> None:
    """Of all, or of one run; who lacks the role is refused."""
    change = front.kit.asked()
    await front.type(f"audit {change.run}")
    await front.type("audit", "U3CAROL")
    shown = str(front.replies()[0].blocks)
    assert "run-asked" in shown
    assert "proposed" in shown
    assert front.kit.events()[-1] == "run-refused"


async def test_ten_presses_at_once_are_one_grant(front: Front) -> None:
    """The same press ten times, and ten presses: one grant, one order, and each presser is answered."""
    change = front.kit.asked()
    value = f"{change.id}:{PLAN.digest}"
    same = [front.press("approve", value, "U2BOB", key="same") for _ in range(10)]
    other = [front.press("approve", value, "U3CAROL", key=f"other {number}") for number in range(10)]
    await asyncio.gather(*same, *other)
    now = front.kit.change(change.id)
    assert now.approval.state is State.GRANTED
    assert len(front.kit.read(lambda connection: changes.grants(connection, change.id))) == 1
    assert front.kit.events().count("granted") == 1
    assert front.kit.events().count("press-refused") == 10
    assert len(front.replies()) == 11


@pytest.mark.parametrize(
    ("account", "team", "value", "reason"),
    [
        ("U1ALICE", "T0SIM", "{id}:{digest}", "own-request"),
        ("U6DORA", "T0SIM", "{id}:{digest}", "no-role-approve"),
        ("U4GUEST", "T0SIM", "{id}:{digest}", "guest"),
        ("U9OUT", "T9OTHER", "{id}:{digest}", "other-workspace"),
        ("U2BOB", "T9OTHER", "{id}:{digest}", "other-workspace"),
        ("U7EVE", "T0SIM", "{id}:{digest}", "unknown-person"),
        ("U2BOB", "T0SIM", "{id}:0000", "other-digest"),
        ("U2BOB", "T0SIM", "a-none:{digest}", "no-such-change"),
        ("U2BOB", "T0SIM", "", "no-such-change"),
    ],
)
async def test_a_press_that_may_not_be(front: Front, account: str, team: str, value: str, reason: str) -> None:
    """Nothing happens; the presser is told why; the audit has it."""
    change = front.kit.asked()
    await front.press("approve", value.format(id=change.id, digest=PLAN.digest), account, team=team)
    assert front.kit.change(change.id) == change
    entry = front.kit.read(lambda connection: list(trail.entries(connection)))[-1].body
    assert (entry["event"], entry["data"]["reason"]) == ("press-refused", reason)
    assert len(front.replies()) == 1


async def test_an_expired_press(front: Front) -> None:
    """After the expiry the yes comes too late."""
    change = front.kit.asked()
    front.kit.now.now = change.approval.expires
    await front.press("approve", f"{change.id}:{PLAN.digest}", "U3CAROL")
    assert "expired" in front.replies()[0].text
    assert front.kit.events()[-1] == "press-refused"


async def test_propose_and_again(front: Front) -> None:
    """The button asks for a plan; pressed again it points to the one that is open."""
    run = front.kit.done()
    await front.press("propose", f"{run.id}:0:0", "U1ALICE")
    await front.press("propose", f"{run.id}:0:0", "U3CAROL")
    first, second = front.replies()
    assert front.kit.events()[-2:] == ["proposed", "press-refused"]
    assert "already: a-2" in second.text
    assert run.id in second.text
    assert "a-2" in first.text


@pytest.mark.parametrize("value", ["r-1:9:0", "r-1:x:0", "r-1", "", "r-9:0:0", "r-1:-1:0"])
async def test_a_forged_offer(front: Front, value: str) -> None:
    """A value that names no offer is refused."""
    front.kit.done()
    await front.press("propose", value, "U1ALICE")
    assert front.kit.events()[-1] == "press-refused"


async def test_rerun_is_a_new_run(front: Front) -> None:
    """The same question, asked by the one who pressed."""
    run = front.kit.done()
    await front.press("rerun", run.id, "U3CAROL")
    assert front.kit.events()[-1] == "run-asked"
    assert front.runs() == 2


async def test_withdraw_while_it_is_planned(front: Front) -> None:
    """The requester can take it back before there is a plan; a late plan changes nothing."""
    change = front.kit.proposed()
    await front.press("withdraw", f"{change.id}:", "U1ALICE")
    front.kit.hear(wire.Planned(change.id, front.kit.now(), PLAN, PLAN.digest))
    assert front.kit.change(change.id).approval.state is State.WITHDRAWN


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)  # a file can be taken away
async def test_without_a_ledger_a_person_is_told(front: Front) -> None:
    """When nothing can be written down nothing is started, and it is said past the ledger."""
    front.kit.ledger.engine.dispose()
    front.kit.path.unlink()
    for suffix in ("-wal", "-shm"):
        front.kit.path.with_name(f"ledger.db{suffix}").unlink(missing_ok=True)
    await front.type("svc shop/checkout")
    assert "nothing was started" in front.said[0].text


@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)  # where one lock holds everybody
async def test_a_locked_ledger_does_not_hold_the_loop(front: Front) -> None:
    """While another process holds the write lock the event loop runs on: acks leave as ever."""
    blocker = sqlite3.connect(front.kit.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    asked = asyncio.create_task(front.type("svc shop/checkout"))
    turns = 0
    while turns < 20:
        await asyncio.sleep(0.01)
        turns += 1
    assert not asked.done()
    blocker.execute("ROLLBACK")
    blocker.close()
    await asked
    assert front.runs() == 1
