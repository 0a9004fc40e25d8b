"""The guide's case 1 on a real cluster, over Slack's protocol: found, healed when a second person agrees, audited."""

import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.demo.story import Story
from tests.lab.cluster import Lab
from tests.story.house import LabHouse, Scene, scene

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(loop_scope="session")
async def lab_scene(lab: Lab, tmp_path: Path) -> AsyncIterator[Scene]:
    """Bot and workers in front of the lab."""

    def make(workspace: object, broker: object) -> LabHouse:
        return LabHouse(tmp_path / "house", lab, api_url=workspace.api_url, broker_url=broker.url)  # type: ignore[attr-defined]

    async with scene(make) as told:
        yield told


async def test_the_stale_node_is_found_and_healed(lab: Lab, lab_scene: Scene) -> None:
    """From the slash command to the audit: the demo's own story, with nothing recorded; then one byte is changed."""
    fault = lab.fault("kube-proxy-stale-rules")
    await fault.inject()
    try:
        told = [step async for step in Story(lab_scene.workspace, lab_scene.house, patience=120).tell()]
        assert len(told) == 9
        assert set((await lab.answers()).values()) == {"200"}
        found = told[2].seen
        assert "kube-proxy on node-2 has not applied EndpointSlice changes since" in found
        assert "or earlier; NodePort 30080 is rejected there although 2 endpoints are ready" in found
    finally:
        await fault.recover()
    await one_changed_byte(lab_scene)


async def one_changed_byte(told: Scene) -> None:
    """`audit verify` names the entry whose text was changed behind its back, triggers and all."""
    with sqlite3.connect(told.house.folder / "netdiag.db") as ledger:
        for (name,) in ledger.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            ledger.execute(f'drop trigger "{name}"')
        ledger.execute("update audit set text = replace(text, 'alice', 'clice') where seq = 1")
    code, output = await told.house.run("audit", "verify", "--json")
    assert code == 1
    assert '"first_bad":1' in output.replace(" ", "")
    assert '"hash"' in output


async def test_the_cut_node_is_named_and_no_restart_is_offered(lab: Lab, lab_scene: Scene) -> None:
    """The cause comes first, the stale rules are folded under it, and there is no button that cannot help."""
    fault = lab.fault("kube-proxy-apiserver-unreachable")
    await fault.inject()
    try:
        run = await lab_scene.ask("svc checkout")
        await lab_scene.until(lambda: "API server" in lab_scene.first_line(run.ts))
        assert "node-2" in lab_scene.first_line(run.ts)
        await lab_scene.until(lambda: "has not applied" in lab_scene.thread(run.ts))
        assert "A restart cannot help while node-2" in lab_scene.thread(run.ts)
        assert lab_scene.with_button(run.ts, "propose") is None
    finally:
        await fault.recover()


async def test_a_healthy_service_is_healthy(lab_scene: Scene) -> None:
    """Nothing is wrong: the first line says so, and nothing is offered."""
    run = await lab_scene.ask("svc shop/checkout")
    await lab_scene.over(run.ts)
    assert "kube-proxy" not in lab_scene.first_line(run.ts)
    assert lab_scene.with_button(run.ts, "propose") is None


@pytest.mark.parametrize(
    ("typed", "says"),
    [("svc chekout", "checkout"), ("svc default/checkout", "shop/checkout"), ("svc nothing-like-it", "Service")],
)
async def test_an_unknown_service_gets_a_suggestion(lab_scene: Scene, typed: str, says: str) -> None:
    """Did you mean: by spelling, and by the namespace it really is in."""
    run = await lab_scene.ask(typed)
    assert says in await lab_scene.over(run.ts)


async def test_a_silent_agent_is_unknown_and_the_rest_is_reported(lab: Lab, lab_scene: Scene) -> None:
    """One agent hangs: the run ends, says what it could not see, and does not call it healthy."""
    pids = lab.nodes["node-2"].pids("netdiag")
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        run = await lab_scene.ask("svc checkout")
        said = await lab_scene.over(run.ts)
        assert "the rules on node-2" in said
        assert "no answer from the agent" in said
        assert f"{len(lab.nodes) - 1} of {len(lab.nodes) - 1} nodes" in said
        assert "large_green_circle" not in said
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_a_missing_right_is_named(lab: Lab, lab_scene: Scene) -> None:
    """The API server's 403 says which right the look role lacks; the person who runs the bot can grant it."""
    role = "clusterrole/netdiag-look"
    before = await lab.kubectl("get", role, "-o", "json")
    await lab.kubectl("delete", role)
    try:
        run = await lab_scene.ask("svc checkout")
        said = await lab_scene.over(run.ts)
        assert "may not list" in said
        assert "services" in said
    finally:
        saved = lab.state / "look-role.json"
        saved.write_text(before)
        await lab.kubectl("replace", "--force", "-f", str(saved))
