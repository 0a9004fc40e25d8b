"""What the workers say has its effect once, in whatever order and however often it comes."""

import itertools

import pytest

from bot.ledger import outbox, runs
from bot.records import Run
from bot.runs import LIFE, SILENT
from tests.bot.kit import BOB, HEALED, PLAN, REPORT, TARGET, Kit
from tests.bot.test_approvals import press
from workers.core import wire
from workers.core.approval import Event, State
from workers.core.run import State as RunState

CHECKS = (wire.CheckState("a.b", "A?", "running"),)
OVER = (wire.CheckState("a.b", "A?", "done"),)


def now_is(kit: Kit, run: Run) -> Run:
    """The run as it is now."""
    found = kit.read(lambda connection: runs.get(connection, run.id))
    assert found
    return found


def story(kit: Kit, run: Run) -> list[wire.Event]:
    """All that a worker says of a run."""
    at = kit.now()
    return [
        wire.RunStarted(run.id, "w", at, TARGET, CHECKS),
        wire.RunProgress(run.id, 1, at + 0.1, CHECKS, 3),
        wire.RunProgress(run.id, 2, at + 0.2, OVER, 7),
        wire.RunDone(run.id, at + 0.3, 0.3, TARGET, REPORT, OVER, b"bundle"),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_run_in_any_order_and_twice(kit: Kit, order: tuple[int, ...]) -> None:
    """Once the report has come it stands: one entry, one message a finding, the task gone."""
    run = kit.ask()
    events = story(kit, run)
    kit.hear(*(events[index] for index in order), *(events[index] for index in reversed(order)))
    done = now_is(kit, run)
    assert (done.state, done.report, done.checks) == (RunState.DONE, REPORT, OVER)
    assert kit.events() == ["run-asked", "run-done"]
    assert kit.read(lambda connection: outbox.find(connection, "task", f"run-{run.id}")) is None
    assert kit.read(lambda connection: outbox.message(connection, f"finding:{run.id}:0"))
    assert kit.read(lambda connection: runs.bundle(connection, run.id)) == b"bundle"


def test_old_progress_is_ignored_and_another_worker_begins_anew(kit: Kit) -> None:
    """Progress counts upwards; after a takeover it counts from the new start."""
    run = kit.ask()
    started, one, two, _ = story(kit, run)
    kit.hear(started, two, one)
    assert (now_is(kit, run).n, now_is(kit, run).looked) == (2, 7)
    kit.hear(wire.RunStarted(run.id, "w2", kit.now() + 60, TARGET, CHECKS), two)
    assert (now_is(kit, run).worker, now_is(kit, run).n) == ("w2", 0)
    kit.hear(wire.RunProgress(run.id, 1, kit.now() + 61, OVER, 1))
    assert now_is(kit, run).n == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_change_in_any_order_and_twice(kit: Kit, order: tuple[int, ...]) -> None:
    """Each step of a change is audited once, and its end is its end."""
    change = press(kit, kit.asked(), Event.APPROVE, BOB)
    events: list[wire.Event] = [
        wire.ChangeStarted(change.id, kit.now(), "w"),
        wire.ChangeApplied(change.id, kit.now(), ("delete-pod",)),
        wire.ChangeEnded(change.id, kit.now(), "done", "", HEALED),
    ]
    kit.hear(*(events[index] for index in order), *(events[index] for index in order))
    assert kit.change(change.id).approval.state is State.DONE
    assert kit.events()[-4:] == ["granted", "started", "applied", "ended"]


def test_a_worker_cannot_speak_of_what_was_not_ordered(kit: Kit) -> None:
    """Neither an end before a grant, nor a word from another cluster, nor one of an unknown thing has an effect."""
    change = kit.asked()
    kit.hear(wire.ChangeEnded(change.id, kit.now(), "done", "", HEALED), wire.ChangeStarted(change.id, kit.now(), "w"))
    kit.hear(wire.ChangeStarted("a-none", kit.now(), "w"))
    assert kit.change(change.id) == change
    press(kit, change, Event.APPROVE, BOB)
    kit.hear(wire.ChangeEnded(change.id, kit.now(), "done", "", HEALED), cluster="other")
    kit.hear(wire.Heartbeat("w", "change", "lab", "1", kit.now()), cluster="other")
    assert kit.change(change.id).approval.state is State.GRANTED


def test_a_plan_twice_is_asked_for_once(kit: Kit) -> None:
    """A second plan changes nothing, be it the same or not."""
    change = kit.asked()
    kit.now.now += 60
    kit.hear(wire.Planned(change.id, kit.now(), PLAN, PLAN.digest), wire.PlanRefused(change.id, kit.now(), None, "no"))
    assert kit.change(change.id) == change


def test_a_run_waits_and_says_so_until_a_worker_is_heard(kit: Kit) -> None:
    """No fresh heartbeat: waiting, since when; with one it is queued again."""
    kit.hear(wire.Heartbeat("w", "look", "lab", "1", kit.now()))
    heard = kit.now()
    kit.now.now += 40
    run = kit.ask()
    kit.write(kit.runs.tick)
    assert now_is(kit, run).state is RunState.QUEUED
    kit.now.now += 3
    kit.write(kit.runs.tick)
    assert (now_is(kit, run).state, now_is(kit, run).away_since) == (RunState.WAITING, heard)
    kit.hear(wire.Heartbeat("w", "look", "lab", "1", kit.now()))
    kit.write(kit.runs.tick)
    assert now_is(kit, run).state is RunState.QUEUED


def test_a_run_that_nobody_answers_ends_and_late_truth_is_taken(kit: Kit) -> None:
    """Nobody in an hour, or silence after the start: it says so; a report that still comes is shown."""
    never, silent = kit.ask(), kit.ask()
    kit.hear(story(kit, silent)[0])
    kit.now.now += SILENT + 1
    kit.write(kit.runs.tick)
    assert (now_is(kit, silent).state, now_is(kit, never).state) == (RunState.FAILED, RunState.WAITING)
    kit.now.now += LIFE
    kit.write(kit.runs.tick)
    answer = now_is(kit, never).answer
    assert answer
    assert answer.reason == "nobody"
    kit.hear(story(kit, silent)[3])
    assert (now_is(kit, silent).state, now_is(kit, silent).answer) == (RunState.DONE, None)


def test_an_answer_instead_of_a_report(kit: Kit) -> None:
    """No such target: the run ends with what may have been meant."""
    run = kit.ask()
    answer = wire.RunAnswer(run.id, kit.now(), "unknown-target", "no such Service", ("svc shop/checkout",))
    kit.hear(answer, answer)
    assert now_is(kit, run).state is RunState.ANSWERED
    assert kit.events() == ["run-asked", "run-done"]
