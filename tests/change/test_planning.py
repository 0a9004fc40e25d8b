"""A proposed remedy becomes a plan that the server has rehearsed, or a refusal that says why not."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.change.scene import NEW, PLAN, TARGET, Catalogue, Scene, at_call, bundle
from tests.change.virtual import now, run
from workers import change
from workers.apply.writer import Moved, Refused, Unsure
from workers.core import wire
from workers.core.declare import Look


def task(**changes: Any) -> wire.PlanTask:
    """Alice wants kube-proxy on node-2 restarted."""
    said = {"remedy": "restart-kube-proxy", "args": {"node": "node-2"}, **changes}
    return wire.PlanTask("a-1", "r-1", "lab", TARGET, **said)


async def plan(scene: Scene, asked: wire.PlanTask, look: Look | None = None) -> wire.Planned | wire.PlanRefused:
    """As the Celery task does it."""
    return await change.plan_remedy(asked, look or scene.look(), scene, Catalogue(), now=now)


def test_a_plan_is_rehearsed_and_changes_nothing(tmp_path: Path) -> None:
    """Every step, by the server; the digest is the one to be granted."""
    scene = Scene(tmp_path)
    planned = run(plan(scene, task()))
    assert isinstance(planned, wire.Planned)
    assert (planned.plan, planned.digest) == (PLAN, PLAN.digest)
    assert (scene.points, scene.effects, scene.flipped) == (["rehearse"], 0, False)


def test_a_remedys_refusal_is_passed_on(tmp_path: Path) -> None:
    """With its reason and parameters, for the card's own words."""
    refused = run(plan(Scene(tmp_path), task(args={"node": "node-9"})))
    assert isinstance(refused, wire.PlanRefused)
    assert refused.refusal
    assert (refused.refusal.reason, refused.refusal.params, refused.detail) == ("no-pod", {"node": "node-9"}, "")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Refused("netdiag may delete only pods of ..."), "refuses the rehearsal: netdiag may delete only"),
        (Moved("there is no pod"), "has changed meanwhile"),
        (Unsure("no connection"), "was not answered: no connection"),
        (RuntimeError("boom"), "RuntimeError: boom"),
    ],
)
def test_a_rehearsal_that_fails_is_a_refusal(tmp_path: Path, error: Exception, says: str) -> None:
    """The server's sentence is in it."""
    refused = run(plan(Scene(tmp_path, at_call("rehearse", error)), task()))
    assert isinstance(refused, wire.PlanRefused)
    assert refused.refusal is None
    assert says in refused.detail


def test_an_unknown_remedy_is_a_refusal(tmp_path: Path) -> None:
    """Bot and worker may be of different releases for a moment."""
    refused = run(plan(Scene(tmp_path), task(remedy="reboot")))
    assert isinstance(refused, wire.PlanRefused)
    assert "no remedy called reboot" in refused.detail


def test_planning_ends_in_time(tmp_path: Path) -> None:
    """A look that never ends is given up."""
    scene = Scene(tmp_path)
    scene.before = bundle(NEW)

    async def hang(_query: object) -> None:
        await asyncio.sleep(3600)

    refused = run(plan(scene, task(), hang))  # type: ignore[arg-type]
    assert isinstance(refused, wire.PlanRefused)
    assert "took longer than 20 s" in refused.detail
