"""The change worker is killed with -9 at exact points of a real restart: it happens once, and the card says so.

Each waits a minute for the broker to hand the dead worker's task to the next one.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.demo.workspace import Workspace
from tests.lab.cluster import Lab
from tests.story.gate import Gate, gate
from tests.story.house import Broker, LabHouse, Scene, kill, scene

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]

CLAIM = r"^POST /api/v1/namespaces/netdiag/configmaps"
DELETE = r"^DELETE /api/v1/namespaces/kube-system/pods/(?!.*dryRun)"
NOTE = r"^(PUT|PATCH) /api/v1/namespaces/netdiag/configmaps/netdiag-claim-"


@pytest_asyncio.fixture(loop_scope="session")
async def gated(lab: Lab, tmp_path: Path) -> AsyncIterator[tuple[Scene, Gate]]:
    """Bot and workers in front of the lab; the change worker reaches the API server through a gate only."""
    async with gate(lab.api_url) as one:

        def make(workspace: Workspace, broker: Broker) -> LabHouse:
            house = LabHouse(tmp_path / "house", lab, api_url=workspace.api_url, broker_url=broker.url)
            house.kubeconfigs["change"] = one.kubeconfig(lab.kubeconfig("change"), tmp_path / "change.kubeconfig")
            return house

        async with scene(make) as told:
            yield told, one


@pytest.mark.parametrize(
    ("when", "call"),
    [
        pytest.param("before", CLAIM, id="before-the-claim"),
        pytest.param("after", CLAIM, id="after-the-claim"),
        pytest.param("before", DELETE, id="before-the-delete"),
        pytest.param("after", DELETE, id="after-the-delete"),
    ],
)
async def test_killed_and_done_once(lab: Lab, gated: tuple[Scene, Gate], when: str, call: str) -> None:
    """Held there, killed, started anew: one pod is deleted, once, and the end on the card is the true one."""
    told, api = gated
    fault = lab.fault("kube-proxy-stale-rules")
    await fault.inject()
    try:
        run = await told.ask("svc checkout")
        await told.over(run.ts)
        card = await told.card(run.ts)
        api.hold(when, call)
        await told.bob.press(card.ts, "approve")
        await asyncio.wait_for(api.held.wait(), 60)
        kill(told.house, "change")
        await told.house.start("change")
        assert "white_check_mark" in await told.ended(card.ts, 300)
        assert len([one for one in api.made if one.startswith("DELETE")]) == 1
        assert set((await lab.answers()).values()) == {"200"}
        events = [entry["event"] for entry in await told.audit()]
        assert events.count("granted") == events.count("ended") == 1
    finally:
        await fault.recover()


async def test_without_the_api_server_the_end_is_unknown_and_says_how_to_find_out(
    lab: Lab, gated: tuple[Scene, Gate]
) -> None:
    """The delete is made, its answer and everything after it never arrive: nobody may call that done or failed."""
    told, api = gated
    fault = lab.fault("kube-proxy-stale-rules")
    await fault.inject()
    try:
        run = await told.ask("svc checkout")
        await told.over(run.ts)
        card = await told.card(run.ts)
        api.hold("after", DELETE)
        await told.bob.press(card.ts, "approve")
        await asyncio.wait_for(api.held.wait(), 60)
        api.close()
        said = await told.ended(card.ts, 300)
        assert "grey_question" in said
        assert "kubectl" in said
    finally:
        await fault.recover()
