"""One task, one answer: whatever dies, comes twice, or comes late."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.tasks.house import House, diagnose_task, order
from workers.core import sending, wire

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]


def test_a_run_is_told_from_beginning_to_end(house: House) -> None:
    """Started with the checks pending, progress with rising numbers, done with a bundle."""
    house.start_worker("look")
    house.send(sending.DIAGNOSE, diagnose_task())
    house.until(lambda: house.of(wire.RunDone), "the run's end")
    events = house.events()
    started, done = events[0], events[-1]
    assert isinstance(started, wire.RunStarted)
    assert {check.state for check in started.checks} == {"pending"}
    progress = [event for event in events if isinstance(event, wire.RunProgress)]
    numbers = [event.n for event in progress]
    assert numbers == sorted(set(numbers))
    assert isinstance(done, wire.RunDone)
    assert progress[-1].checks == done.checks
    assert done.bundle[:2] == b"\x1f\x8b"
    assert done.target == started.target == diagnose_task().request.target
    house.until(house.idle, "the acknowledgement")


def test_the_same_task_ten_times_is_one_run(house: House) -> None:
    """Byte-identical copies, and new messages about the same run."""
    house.start_worker("look")
    for number in range(10):
        house.send(sending.DIAGNOSE, diagnose_task(), task_id="one" if number % 2 else "")
    house.until(lambda: house.of(wire.RunDone), "the run's end")
    house.until(house.idle, "the other nine")
    house.send(sending.DIAGNOSE, diagnose_task())
    house.until(house.idle, "the eleventh")
    assert len(house.of(wire.RunStarted)) == len(house.of(wire.RunDone)) == 1


def test_a_look_worker_killed_in_the_middle_is_followed_by_another(house: House) -> None:
    """By kill -9 while it looks; the message comes back after the visibility timeout, and the run is told once."""
    first = house.start_worker("look", visibility=4)
    house.send(sending.DIAGNOSE, diagnose_task())
    house.until(lambda: house.of(wire.RunStarted), "the run's start")
    house.kill(first)
    assert not house.of(wire.RunDone)
    house.start_worker("look", visibility=4)
    house.until(lambda: house.of(wire.RunDone), "the run's end")
    house.until(house.idle, "the acknowledgement")
    time.sleep(5)  # longer than the visibility timeout: nothing comes back once more
    assert len(house.of(wire.RunDone)) == 1
    assert len(house.of(wire.RunStarted)) == 2


def test_a_worker_that_is_asked_to_stop_ends_its_run_first(house: House) -> None:
    """SIGTERM in the middle of a run."""
    worker = house.start_worker("look")
    house.send(sending.DIAGNOSE, diagnose_task())
    house.until(lambda: house.of(wire.RunStarted), "the run's start")
    worker.send_signal(signal.SIGTERM)
    worker.wait(20)
    assert len(house.of(wire.RunDone)) == 1
    assert house.idle()


def test_what_waits_survives_a_restart_of_redis(house: House) -> None:
    """The worker stays alive, connects again, and takes what was there."""
    house.start_worker("look")
    house.stop_broker()
    house.start_broker()
    house.send(sending.DIAGNOSE, diagnose_task())
    house.until(lambda: house.of(wire.RunDone), "the run's end")


def test_an_end_is_told_although_redis_was_away_when_it_came(house: House) -> None:
    """Redis goes in the middle of a run and comes back: the report is there, once."""
    house.start_worker("look", visibility=8)
    house.send(sending.DIAGNOSE, diagnose_task())
    house.until(lambda: house.of(wire.RunStarted), "the run's start")
    house.stop_broker()
    time.sleep(3)
    house.start_broker()
    house.until(lambda: house.of(wire.RunDone), "the run's end")
    house.until(house.idle, "the acknowledgement")
    assert len(house.of(wire.RunDone)) == 1


def test_what_was_asked_too_long_ago_is_not_run(house: House) -> None:
    """It is answered, so that nobody waits."""
    house.start_worker("look")
    house.send(sending.DIAGNOSE, diagnose_task(asked=time.time() - 100, ttl=60))
    house.until(lambda: house.of(wire.RunAnswer), "an answer")
    assert house.of(wire.RunAnswer)[0].reason == "expired"


def test_an_order_is_planned_carried_out_and_told(house: House) -> None:
    """The whole change side over the recorded twin: plan, order, outcome; and the world is the one after."""
    house.start_worker("change")
    task = order(house)
    plan = wire.PlanTask("a-1", "r-1", "lab", task.plan.target, task.plan.remedy, task.plan.args)
    house.send(sending.PLAN, plan)
    house.until(lambda: house.of(wire.Planned) or house.of(wire.PlanRefused), "the plan")
    assert house.of(wire.PlanRefused) == []
    assert house.of(wire.Planned)[0].digest == task.digest
    assert not (house.folder / "world/state/applied").exists()
    house.send(sending.CHANGE, task)
    house.until(lambda: house.of(wire.ChangeEnded), "the change's end", limit=90)
    assert [type(event).__name__ for event in house.events()[1:]] == ["ChangeStarted", "ChangeApplied", "ChangeEnded"]
    assert (house.folder / "world/state/applied").exists()
    assert house.of(wire.ChangeEnded)[0].result == "done"


def test_a_change_worker_killed_after_the_delete_is_followed_by_another(house: House) -> None:
    """By kill -9 of the worker with its children; the second one finds it done, and tells so."""
    first = house.start_worker("change", visibility=4)
    house.send(sending.CHANGE, order(house))
    house.until((house.folder / "world/state/applied").exists, "the change")
    house.kill(first)
    house.start_worker("change", visibility=4)
    house.until(lambda: house.of(wire.ChangeEnded), "the change's end", limit=100)
    assert house.of(wire.ChangeApplied)[-1].again
    assert len(claims(house.folder)) == 1


def test_a_killed_child_is_followed_at_once(house: House) -> None:
    """Only the child that works is killed: the order goes back into the queue, and its claim is waited for."""
    worker = house.start_worker("change")
    house.send(sending.CHANGE, order(house))
    house.until((house.folder / "world/state/applied").exists, "the change")
    for child in children(worker.pid):
        os.kill(child, signal.SIGKILL)
    house.until(lambda: house.of(wire.ChangeEnded), "the change's end", limit=100)
    assert house.of(wire.ChangeApplied)[-1].again


def test_the_same_order_ten_times_is_one_change(house: House) -> None:
    """All ten are answered alike; one claim, one change."""
    house.start_worker("change")
    task = order(house)
    for _ in range(10):
        house.send(sending.CHANGE, task)
    house.until(lambda: house.of(wire.ChangeEnded), "the change's end", limit=100)
    house.until(house.idle, "the other nine")
    ends = house.of(wire.ChangeEnded)
    assert len(house.of(wire.ChangeStarted)) == len(house.of(wire.ChangeApplied)) == 1
    assert len({(end.at, end.result) for end in ends}) == 1


def claims(folder: Path) -> list[Path]:
    """The recorded world's claims."""
    return list((folder / "world/state").glob("claim-*.json"))


def children(pid: int) -> list[int]:
    """The processes that it has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
