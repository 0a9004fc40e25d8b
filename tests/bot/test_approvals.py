"""The approval's life over the ledger: every press, every word of the worker, every expiry, with its audit entry."""

import itertools

import msgspec
import pytest
from sqlalchemy import Connection

from bot.access import Caller
from bot.approvals import GRACE, SILENT
from bot.ledger import changes, outbox
from bot.ledger.outbox import PERHAPS, Order
from bot.records import Change
from tests.bot.kit import ALICE, BOB, CAROL, DORA, HEALED, OFFER, PLAN, POLICY, TARGET, Kit
from workers.core import wire
from workers.core.approval import Event, State
from workers.core.errors import NotAllowed
from workers.core.plan import Outcome, Refusal

PRESSES = (Event.APPROVE, Event.DENY, Event.WITHDRAW)


def press(kit: Kit, change: Change, event: Event, caller: Caller, digest: str = PLAN.digest) -> Change:
    """One press, in a transaction of its own."""
    return kit.write(lambda connection: kit.approvals.decide(connection, change.id, digest, event, caller))


def refused(kit: Kit, change: Change, event: Event, caller: Caller, digest: str = PLAN.digest) -> str:
    """The reason for which this press is refused."""
    with pytest.raises(NotAllowed) as error:
        press(kit, change, event, caller, digest)
    return error.value.reason


def order(kit: Kit, change: Change) -> wire.ChangeTask:
    """The order that is on its way."""
    row = kit.read(lambda connection: outbox.find(connection, "task", f"change-{change.id}"))
    assert row
    task = wire.decode_task(msgspec.json.decode(row.payload, type=Order).text)
    assert isinstance(task, wire.ChangeTask)
    return task


def test_every_sequence_of_three_presses_over_the_ledger(kit: Kit) -> None:
    """Whatever two people press, before or after the expiry: one grant at most, never alice's, each audited."""
    change = kit.asked()
    moves = list(itertools.product(PRESSES, (ALICE, BOB), (0.0, 3600.0)))
    before = kit.now()

    def walk(connection: Connection) -> int:
        walked = 0
        for sequence in itertools.product(moves, repeat=3):
            savepoint = connection.begin_nested()
            pressed = 0
            for event, caller, later in sequence:
                kit.now.now = before + later
                try:
                    kit.approvals.decide(connection, change.id, PLAN.digest, event, caller)
                except NotAllowed:
                    continue
                assert later == 0.0
                pressed += 1
            now = changes.get(connection, change.id)
            grants = changes.grants(connection, change.id)
            assert now
            assert pressed <= 1
            assert len(grants) == (now.approval.state is State.GRANTED)
            assert now.approval.granted_by == (("bob",) if grants else ())
            savepoint.rollback()
            walked += 1
        return walked

    assert kit.write(walk) == len(moves) ** 3


def test_a_grant_is_signed_over_what_was_shown(kit: Kit) -> None:
    """The order carries the plan and a grant whose claims name everything; the audit says who and how many."""
    change = press(kit, kit.asked(), Event.APPROVE, BOB)
    task = order(kit, change)
    (token,) = task.grants
    claims = kit.keys.claims("grant", token, now=kit.now())
    assert {name: claims[name] for name in claims if name not in {"iat", "exp"}} == {
        "approval": change.id,
        "action": "restart-kube-proxy",
        "cluster": "lab",
        "target": str(TARGET),
        "digest": PLAN.digest,
        "person": "bob",
        "requester": "alice",
        "expires": change.approval.expires,
    }
    assert (task.plan, task.digest, task.quorum, task.expires) == (PLAN, PLAN.digest, 1, change.approval.expires)
    assert kit.events() == ["run-asked", "run-done", "proposed", "asked", "granted"]


def test_each_refusal_has_its_reason_and_changes_nothing(kit: Kit) -> None:
    """Own request, no role, another digest, not the requester, unknown, expired: the card stays as it is."""
    change = kit.asked()
    assert refused(kit, change, Event.APPROVE, ALICE) == "own-request"
    assert refused(kit, change, Event.APPROVE, DORA) == "no-role-approve"
    assert refused(kit, change, Event.DENY, DORA) == "no-role-approve"
    assert refused(kit, change, Event.APPROVE, BOB, "0" * 64) == "other-digest"
    assert refused(kit, change, Event.APPROVE, BOB, "") == "other-digest"
    assert refused(kit, change, Event.WITHDRAW, BOB) == "not-requester"
    assert refused(kit, msgspec.structs.replace(change, id="a-none"), Event.APPROVE, BOB) == "no-such-change"
    kit.now.now = change.approval.expires
    assert refused(kit, change, Event.APPROVE, BOB) == "expired"
    assert kit.change(change.id) == change


def test_two_people_where_two_are_needed(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a quorum of two the first yes only counts, and the order carries both."""
    two = Kit(tmp_path_factory.mktemp("two"), POLICY.replace("quorum: 1", "quorum: 2"))
    change = press(two, two.asked(), Event.APPROVE, BOB)
    assert change.approval.state is State.ASKED
    assert refused(two, change, Event.APPROVE, BOB) == "twice"
    change = press(two, change, Event.APPROVE, CAROL)
    assert change.approval.state is State.GRANTED
    assert len(order(two, change).grants) == 2
    two.ledger.close()
    del kit


@pytest.mark.parametrize(("event", "who", "entry"), [(Event.DENY, BOB, "denied"), (Event.WITHDRAW, ALICE, "withdrawn")])
def test_a_no_ends_it(kit: Kit, event: Event, who: Caller, entry: str) -> None:
    """Denied or taken back: audited, by whom, and a later yes comes too late."""
    change = press(kit, kit.asked(), event, who)
    assert (change.approval.ended_by, kit.events()[-1]) == (who.name, entry)
    assert refused(kit, change, Event.APPROVE, CAROL) == f"already-{change.approval.state}"


def test_the_same_change_is_proposed_once(kit: Kit) -> None:
    """A second proposal points to the open one; when that has ended a new one may be made."""
    change = kit.asked()
    run = kit.done()
    again = msgspec.structs.replace(run, report=None)
    for wrong in ((again, 0), (run, 5)):
        with pytest.raises(NotAllowed) as error:
            kit.write(lambda connection, wrong=wrong: kit.approvals.propose(connection, wrong[0], wrong[1], 0, BOB))  # type: ignore[misc]
        assert error.value.reason == "no-offer"
    with pytest.raises(NotAllowed) as error:
        kit.proposed()
    assert (error.value.reason, str(error.value)) == ("already-open", change.id)
    press(kit, change, Event.DENY, BOB)
    assert kit.proposed().id != change.id


def test_one_change_a_target(kit: Kit) -> None:
    """Another remedy for the same node has to wait for the first."""
    kit.asked()
    run = kit.done()

    def propose(connection: Connection) -> None:
        known = kit._run(connection, run)
        assert known.report
        offer = msgspec.structs.replace(OFFER, remedy="reboot")
        finding = msgspec.structs.replace(known.report.findings[0], remedies=(offer,))
        report = msgspec.structs.replace(known.report, findings=(finding,))
        kit.approvals.propose(connection, msgspec.structs.replace(known, report=report), 0, 0, BOB)

    with pytest.raises(NotAllowed) as error:
        kit.write(propose)
    assert error.value.reason == "target-busy"


def test_a_plan_that_is_refused_says_why(kit: Kit) -> None:
    """No plan: the card has the reason, and the audit too."""
    change = kit.proposed()
    kit.hear(wire.PlanRefused(change.id, kit.now(), Refusal("static-pod", {"node": "node-2"})))
    change = kit.change(change.id)
    assert (change.approval.state, kit.events()[-1]) == (State.REFUSED, "plan-refused")
    assert change.refusal == Refusal("static-pod", {"node": "node-2"})


def test_a_plan_with_another_digest_is_not_asked_for(kit: Kit) -> None:
    """What the worker says of its plan must be so: else nobody is asked."""
    change = kit.proposed()
    kit.hear(wire.Planned(change.id, kit.now(), PLAN, "0" * 64))
    assert kit.change(change.id).approval.state is State.REFUSED


def test_the_whole_way(kit: Kit) -> None:
    """Granted, started, applied, healed: each step audited, the last entry on the card, the task gone."""
    change = press(kit, kit.asked(), Event.APPROVE, BOB)
    kit.hear(
        wire.ChangeStarted(change.id, kit.now(), "w"),
        wire.ChangeApplied(change.id, kit.now(), ("delete-pod",)),
        wire.ChangeEnded(change.id, kit.now(), "done", "", HEALED),
    )
    change = kit.change(change.id)
    assert change.approval.state is State.DONE
    assert kit.events()[-4:] == ["granted", "started", "applied", "ended"]
    assert change.entry
    assert change.entry.seq == len(kit.events())
    assert kit.read(lambda connection: outbox.find(connection, "task", f"change-{change.id}")) is None


@pytest.mark.parametrize(
    ("result", "outcome", "state"),
    [
        ("done", HEALED, State.DONE),
        ("done", Outcome("not-healed"), State.FAILED),
        ("done", Outcome("unknown"), State.UNKNOWN),
        ("failed", None, State.FAILED),
        ("refused", None, State.FAILED),
        ("void", None, State.VOID),
        ("unknown", None, State.UNKNOWN),
    ],
)
def test_an_end_without_its_beginning(kit: Kit, result: str, outcome: Outcome | None, state: State) -> None:
    """When only the last word was heard, the machine catches up, and the end is what was said."""
    change = press(kit, kit.asked(), Event.APPROVE, BOB)
    kit.hear(wire.ChangeEnded(change.id, kit.now(), result, "so", outcome))  # type: ignore[arg-type]
    assert (kit.change(change.id).approval.state, kit.events()[-1]) == (state, "ended")


def test_nobody_decides_in_time(kit: Kit) -> None:
    """An open request expires once, visibly."""
    change = kit.asked()
    kit.now.now = change.approval.expires - 1
    kit.write(kit.approvals.tick)
    assert kit.change(change.id).approval.state is State.ASKED
    kit.now.now += 1
    kit.write(kit.approvals.tick)
    kit.write(kit.approvals.tick)
    assert kit.change(change.id).approval.state is State.EXPIRED
    assert kit.events().count("expired") == 1


@pytest.mark.parametrize(("sent", "state"), [(None, State.EXPIRED), (PERHAPS, State.UNKNOWN)])
def test_a_granted_change_without_an_answer(kit: Kit, sent: float | None, state: State) -> None:
    """An order that never left has expired; one that may have left is unknown, and a late word tells the truth."""
    change = press(kit, kit.asked(), Event.APPROVE, BOB)

    def mark(connection: Connection) -> None:
        row = outbox.find(connection, "task", f"change-{change.id}")
        assert row
        outbox.later(connection, row, due=kit.now(), sent=sent)

    kit.write(mark)
    kit.now.now = change.approval.expires + GRACE
    kit.write(kit.approvals.tick)
    assert kit.change(change.id).approval.state is state
    kit.hear(wire.ChangeEnded(change.id, kit.now(), "done", "", HEALED))
    late = State.DONE if state is State.UNKNOWN else State.EXPIRED
    assert kit.change(change.id).approval.state is late


def test_a_change_that_falls_silent_is_unknown_and_holds_nothing(kit: Kit) -> None:
    """After a while without a word nobody knows; the target may be tried again."""
    change = press(kit, kit.asked(), Event.APPROVE, BOB)
    kit.hear(wire.ChangeStarted(change.id, kit.now(), "w"))
    kit.now.now += SILENT
    kit.write(kit.approvals.tick)
    assert kit.change(change.id).approval.state is State.UNKNOWN
    assert kit.proposed().id != change.id


def test_the_card_says_when_no_change_worker_is_there(kit: Kit) -> None:
    """Waiting for a worker is shown, and is over when one is heard."""
    change = kit.proposed()
    kit.now.now += 5
    kit.write(kit.approvals.tick)
    assert kit.change(change.id).away
    kit.hear(wire.Heartbeat("w", "change", "lab", "1", kit.now()))
    kit.write(kit.approvals.tick)
    assert not kit.change(change.id).away
