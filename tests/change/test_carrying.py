"""An order's way to its end, whatever goes wrong at whatever point: once, or not at all, and truthfully told."""

import asyncio
import contextlib
from pathlib import Path

import msgspec
import pytest

from tests.change.scene import EXPIRES, STEP, KilledError, Scene, at_call, at_point, order
from tests.change.virtual import BEGUN, now, run
from workers.apply import carrying, claims
from workers.apply.writer import Moved, Refused, Unsure
from workers.core import wire

POINTS = range(40)  # more than a delivery has; a test below counts them
HOW = "kubectl -n kube-system get pod kube-proxy-old -o jsonpath={.metadata.uid}"


def result(ended: wire.ChangeEnded | None) -> str:
    """How it ended, or that another one works on it."""
    return ended.result if ended else "another's"


def names(scene: Scene) -> list[str]:
    """What was told, in order."""
    return [type(event).__name__ for event in scene.told]


def test_the_good_way(tmp_path: Path) -> None:
    """Claimed, looked at afresh, marked, applied, verified, written down, told."""
    scene = Scene(tmp_path)
    ended = run(scene.deliver(order()))
    assert ended
    assert (ended.result, ended.detail, scene.effects) == ("done", "", 1)
    assert ended.outcome
    assert ended.outcome.result == "healed"
    assert names(scene) == ["ChangeStarted", "ChangeApplied", "ChangeEnded"]
    assert scene.points == [
        "create",
        "tell-ChangeStarted",
        "write-sent",
        "apply",
        "write-done",
        "tell-ChangeApplied",
        "settled",
        "recheck",
        "write-outcome",
        "tell-ChangeEnded",
    ]
    assert len(scene.points) < len(POINTS)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("point", POINTS[:10])
def test_a_worker_killed_at_any_point_is_followed_by_one_that_ends_it(tmp_path: Path, point: int, after: bool) -> None:
    """Killed before or after each call: the next delivery comes to `done`, with exactly one effect in all."""
    scene = Scene(tmp_path, at_point(point, KilledError(), after=after))

    async def story() -> wire.ChangeEnded | None:
        with contextlib.suppress(KilledError):  # a call without a second half, such as a look, is not killed in it
            await scene.deliver(order(), "w-1")
        return await scene.deliver(order(), "w-2")

    assert result(run(story())) == "done"
    assert scene.effects == 1
    assert names(scene)[-1] == "ChangeEnded"


@pytest.mark.parametrize("second", POINTS[:14])
@pytest.mark.parametrize("first", POINTS[:10])
def test_two_workers_killed_one_after_the_other(tmp_path: Path, first: int, second: int) -> None:
    """The third delivery still comes to the end, and still it was done once."""
    scene = Scene(tmp_path, at_point(first, KilledError(), after=True))

    async def story() -> wire.ChangeEnded | None:
        for holder in ("w-1", "w-2"):
            try:
                await scene.deliver(order(), holder)
            except KilledError:
                scene.trouble = at_point(len(scene.points) + second, KilledError(), after=True)
        scene.trouble = lambda *_: None
        return await scene.deliver(order(), "w-3")

    assert result(run(story())) == "done"
    assert scene.effects == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("point", POINTS[:9])
def test_one_unanswered_call_at_any_point_is_never_told_wrongly(tmp_path: Path, point: int, after: bool) -> None:
    """`done` only when it was done, "nothing was changed" only when nothing was."""
    scene = Scene(tmp_path, at_point(point, Unsure("no answer"), after=after))
    ended = run(scene.deliver(order()))
    assert ended
    assert scene.effects <= 1
    if ended.result == "done":
        assert scene.effects == 1
    if "nothing was changed" in ended.detail:
        assert scene.effects == 0
    if ended.result == "unknown":
        assert HOW in ended.detail


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_delete_without_an_answer_is_looked_at(tmp_path: Path, after: bool) -> None:
    """Whether it came through or not, the cluster shows it; it is sent again only when it did not."""
    scene = Scene(tmp_path, at_call("apply", Unsure("read timed out"), after=after))
    assert result(run(scene.deliver(order()))) == "done"
    assert (scene.effects, scene.points.count("apply")) == (1, 1 if after else 2)


def test_a_delete_that_is_never_answered_is_unknown(tmp_path: Path) -> None:
    """After some attempts, with the pod still there, a late one may still come through."""
    scene = Scene(tmp_path, at_call("apply", Unsure("read timed out"), times=99))
    ended = run(scene.deliver(order()))
    assert ended
    assert (ended.result, scene.effects) == ("unknown", 0)
    assert HOW in ended.detail


def test_an_unanswered_delete_that_cannot_be_looked_at_is_unknown(tmp_path: Path) -> None:
    """Nobody guesses; the sentence has the command that finds out."""
    scene = Scene(tmp_path)

    def trouble(_point: int, name: str, done: bool) -> None:
        if (name == "apply" and done) or name == "standing":
            raise Unsure("no connection")

    scene.trouble = trouble
    ended = run(scene.deliver(order()))
    assert ended
    assert (ended.result, scene.effects) == ("unknown", 1)
    assert HOW in ended.detail


def test_a_refused_delete_changes_nothing(tmp_path: Path) -> None:
    """The server's sentence is passed on."""
    scene = Scene(tmp_path, at_call("apply", Refused("netdiag may delete only pods of ...")))
    ended = run(scene.deliver(order()))
    assert ended
    assert (ended.result, scene.effects) == ("failed", 0)
    assert "netdiag may delete only" in ended.detail


def test_a_pod_that_went_in_between_is_void(tmp_path: Path) -> None:
    """Gone between the fresh look and the call, and not by us."""
    scene = Scene(tmp_path, at_call("apply", Moved("there is no pod")))
    assert result(run(scene.deliver(order()))) == "void"


def test_a_moved_cluster_is_void(tmp_path: Path) -> None:
    """Another pod on that node is another plan, and nobody has approved that one."""
    scene = Scene(tmp_path)
    (tmp_path / "applied").touch()
    ended = run(scene.deliver(order()))
    assert ended
    assert (ended.result, scene.effects) == ("void", 0)
    assert "nothing was changed" in ended.detail


def test_what_would_be_refused_now_is_void(tmp_path: Path) -> None:
    """The remedy's own reason is in the sentence."""
    scene = Scene(tmp_path)
    scene.before = msgspec.structs.replace(scene.before, seen=())
    ended = run(scene.deliver(order()))
    assert ended
    assert ended.result == "void"
    assert "not-seen" in ended.detail


@pytest.mark.parametrize("late", [0.0, 1.0])
def test_an_expired_order_is_void(tmp_path: Path, late: float) -> None:
    """At its expiry or later nothing is begun."""
    scene = Scene(tmp_path)

    async def story() -> wire.ChangeEnded | None:
        await asyncio.sleep(EXPIRES - BEGUN + late)
        return await scene.deliver(order())

    ended = run(story())
    assert ended
    assert (ended.result, scene.effects) == ("void", 0)
    assert "expired" in ended.detail


def test_a_change_that_was_applied_before_it_expired_is_ended_truthfully(tmp_path: Path) -> None:
    """The worker died after the delete; the next one comes after the expiry, and says that it was done."""
    scene = Scene(tmp_path, at_call("apply", KilledError(), after=True))  # type: ignore[arg-type]

    async def story() -> wire.ChangeEnded | None:
        with pytest.raises(KilledError):
            await scene.deliver(order())
        await asyncio.sleep(EXPIRES - BEGUN)
        return await scene.deliver(order(), "w-2")

    assert result(run(story())) == "done"
    assert scene.effects == 1
    applied = [event for event in scene.told if isinstance(event, wire.ChangeApplied)]
    assert [event.again for event in applied] == [True]


def test_a_change_that_was_not_applied_before_it_expired_is_void(tmp_path: Path) -> None:
    """The worker died before the delete; after the expiry nobody begins again."""
    scene = Scene(tmp_path, at_call("apply", KilledError()))  # type: ignore[arg-type]

    async def story() -> wire.ChangeEnded | None:
        with pytest.raises(KilledError):
            await scene.deliver(order())
        await asyncio.sleep(EXPIRES - BEGUN)
        return await scene.deliver(order(), "w-2")

    assert result(run(story())) == "void"
    assert scene.effects == 0


def test_a_pod_that_somebody_else_deleted_is_not_ours(tmp_path: Path) -> None:
    """The first worker died before it sent anything; the pod went by another hand: void, not done."""
    scene = Scene(tmp_path, at_call("write-sent", KilledError()))  # type: ignore[arg-type]

    async def story() -> wire.ChangeEnded | None:
        with pytest.raises(KilledError):
            await scene.deliver(order())
        (tmp_path / "applied").touch()
        return await scene.deliver(order(), "w-2")

    assert result(run(story())) == "void"


def test_a_delete_that_comes_through_late_is_not_called_void(tmp_path: Path) -> None:
    """It lands while the next worker looks: the fresh plan differs, and the reason is our own delete."""
    scene = Scene(tmp_path, at_call("apply", KilledError()))  # type: ignore[arg-type]

    async def story() -> wire.ChangeEnded | None:
        with pytest.raises(KilledError):
            await scene.deliver(order())

        def lands(_point: int, name: str, _done: bool) -> None:
            if name == "tell-ChangeStarted":
                scene.trouble = after_the_glance

        def after_the_glance(_point: int, name: str, _done: bool) -> None:
            if name == "standing":
                scene.trouble = lambda *_: None
                asyncio.get_running_loop().call_soon((tmp_path / "applied").touch)

        scene.trouble = lands
        return await scene.deliver(order(), "w-2")

    ended = run(story())
    assert ended
    assert ended.result == "done", ended.detail
    assert scene.effects == 0  # of the second worker


def test_the_same_order_ten_times_at_once(tmp_path: Path) -> None:
    """One works, nine wait and tell the same end."""
    scene = Scene(tmp_path)

    async def story() -> list[wire.ChangeEnded | None]:
        return list(await asyncio.gather(*(scene.deliver(order(), f"w-{number}") for number in range(10))))

    ends = run(story())
    assert scene.effects == 1
    assert {end.result for end in ends if end} == {"done"}
    assert len({end.at for end in ends if end}) == 1
    assert names(scene).count("ChangeStarted") == 1


def test_a_later_delivery_tells_what_was_written(tmp_path: Path) -> None:
    """Redis lost the event, or delivered the order again: the claim knows how it ended."""
    scene = Scene(tmp_path)

    async def story() -> tuple[wire.ChangeEnded | None, wire.ChangeEnded | None]:
        first = await scene.deliver(order())
        await asyncio.sleep(600)
        return first, await scene.deliver(order(), "w-2")

    first, second = run(story())
    assert first == second
    assert scene.effects == 1


def test_a_holder_that_lives_is_waited_for_and_then_left_alone(tmp_path: Path) -> None:
    """A change that takes longer than anybody waits: the other delivery gives up, and nothing is done twice."""
    scene = Scene(tmp_path)
    scene.heals = False

    async def story() -> tuple[wire.ChangeEnded | None, wire.ChangeEnded | None]:
        first = asyncio.ensure_future(scene.deliver(order(), "w-1"))
        await asyncio.sleep(1)
        # Its pod does not come: it waits for a minute, and beats all the time.
        scene.settled = never  # type: ignore[method-assign]
        begun = now()
        second = await scene.deliver(order(), "w-2")
        assert now() - begun >= claims.PATIENCE
        return await first, second

    async def never(_step: object) -> bool:
        return False

    scene.settled = never  # type: ignore[method-assign]
    first, second = run(story())
    assert (result(first), result(second)) == ("failed", "another's")
    assert scene.effects == 1


def test_a_holder_that_is_frozen_loses_the_claim_and_says_nothing(tmp_path: Path) -> None:
    """It wakes up after another has taken over: its next write is refused, and the other one tells the end."""
    scene = Scene(tmp_path)

    async def story() -> tuple[wire.ChangeEnded | None, wire.ChangeEnded | None]:
        first = asyncio.ensure_future(frozen())
        await asyncio.sleep(0.1)
        second = await scene.deliver(order(), "w-2")
        return await first, second

    async def frozen() -> wire.ChangeEnded | None:
        held = await claims.take(scene, fresh("w-1"), now=now, sleep=asyncio.sleep)
        assert isinstance(held, claims.Held)
        await asyncio.sleep(100)  # no beat
        with pytest.raises(claims.Taken):
            await held.note(0, "sent")
        return None

    first, second = run(story())
    assert (result(first), result(second)) == ("another's", "done")
    assert scene.effects == 1


def fresh(holder: str) -> claims.Claim:
    """The claim that this holder would create."""
    task = order()
    return claims.Claim(task.approval, task.digest, holder, BEGUN, ("pending",))


def test_a_cluster_that_is_away_is_unknown_in_the_end(tmp_path: Path) -> None:
    """Whether an earlier delivery has done it, nobody can see; the sentence says how to find out."""
    scene = Scene(tmp_path, at_call("create", Unsure("no connection"), times=10_000))
    scene.read_claim = away  # type: ignore[method-assign]
    ended = run(scene.deliver(order()))
    assert ended
    assert ended.result == "unknown"
    assert HOW in ended.detail


async def away(_approval: str) -> None:
    """No answer."""
    raise Unsure("no connection")


def test_a_cluster_that_comes_back_in_time_is_no_trouble(tmp_path: Path) -> None:
    """Within a minute the claim is tried again."""
    scene = Scene(tmp_path, at_call("create", Unsure("no connection"), times=10))
    assert result(run(scene.deliver(order()))) == "done"


def test_a_claim_that_may_not_be_made_is_a_failure(tmp_path: Path) -> None:
    """Without the claim nothing is done."""
    scene = Scene(tmp_path, at_call("create", Refused("the change role may not create configmaps")))
    ended = run(scene.deliver(order()))
    assert ended
    assert (ended.result, scene.effects) == ("failed", 0)
    assert "may not create configmaps" in ended.detail


def test_an_approval_has_one_plan(tmp_path: Path) -> None:
    """A claim for another digest is not taken over, however old."""
    scene = Scene(tmp_path)

    async def story() -> wire.ChangeEnded | None:
        await scene.create_claim(msgspec.structs.replace(fresh("w-0"), digest="another"))
        return await scene.deliver(order())

    ended = run(story())
    assert ended
    assert (ended.result, scene.effects) == ("failed", 0)


def test_done_and_not_healed_is_a_failure_with_an_outcome(tmp_path: Path) -> None:
    """The check is asked for half a minute."""
    scene = Scene(tmp_path)
    scene.heals = False
    ended = run(scene.deliver(order()))
    assert ended
    assert (ended.result, scene.effects) == ("failed", 1)
    assert ended.outcome
    assert ended.outcome.result == "not-healed"
    assert scene.points.count("recheck") >= carrying.HEAL / carrying.RECHECK


def test_done_and_not_seen_is_unknown(tmp_path: Path) -> None:
    """The sentence says that it was done."""
    scene = Scene(tmp_path)
    scene.sees = False
    ended = run(scene.deliver(order()))
    assert ended
    assert ended.result == "unknown"
    assert "it was done" in ended.detail


def test_a_successor_that_does_not_come_is_said(tmp_path: Path) -> None:
    """The check runs all the same."""
    scene = Scene(tmp_path)

    async def never(_step: object) -> bool:
        return False

    scene.settled = never  # type: ignore[method-assign]
    ended = run(scene.deliver(order()))
    assert ended
    assert ended.result == "done"
    assert "no successor was ready within 60 s" in ended.detail


def test_a_crash_of_ours_is_told_by_how_far_it_came(tmp_path: Path) -> None:
    """Before anything was sent nothing was changed; afterwards it is unknown, with how to find out."""
    early = Scene(tmp_path, at_call("tell-ChangeStarted", RuntimeError("boom")))
    ended = run(early.deliver(order()))
    assert ended
    assert (ended.result, early.effects) == ("failed", 0)
    assert "nothing was changed" in ended.detail
    (tmp_path / "late").mkdir()
    late = Scene(tmp_path / "late", at_call("recheck", RuntimeError("boom")))
    ended = run(late.deliver(order()))
    assert ended
    assert (ended.result, late.effects) == ("unknown", 1)
    assert HOW in ended.detail
    assert STEP.name in ended.detail
