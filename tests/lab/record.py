"""Records evidence of a fault for tests and for the demo: a run while the cluster is broken, and one after the fix."""

import asyncio
import platform
import sys
from pathlib import Path

from tests.lab.build import kubernetes_version
from tests.lab.by_hand import ByHand
from tests.lab.cell import Cell
from tests.lab.cluster import Lab
from tests.lab.processes import LabError
from workers.core import wire

SETTLED = 12.0  # seconds after which every check judges by its first look


async def record(fault: str, folder: Path, cell: Cell) -> int:
    """Write `before.bundle` and `after.bundle` into `folder`. What is offered heals it; else it is undone by hand."""
    async with Lab(cell=cell) as lab:
        by_hand = ByHand(lab)
        versions = {
            "kubernetes": kubernetes_version(),
            "cell": str(cell),
            "kernel": platform.release(),
            "iptables": (await lab.nodes["node-1"].exec("iptables", "--version")).strip(),
        }
        injected = lab.fault(fault)
        await injected.inject()
        await asyncio.sleep(SETTLED)
        before, bundle = await by_hand.record(injected.fault.command, versions)
        (folder / "before.bundle").write_bytes(bundle)
        _say("before", before)
        await _fix(by_hand, before)
        await injected.recover()
        after, bundle = await by_hand.record(injected.fault.command, versions)
        (folder / "after.bundle").write_bytes(bundle)
        _say("after", after)
    return 0


async def _fix(by_hand: ByHand, run: wire.RunDone) -> None:
    for offer in [offer for one in run.report.findings[:1] for offer in one.remedies][:1]:
        planned = await by_hand.plan(run.target, offer)
        if isinstance(planned, wire.PlanRefused):
            raise LabError(f"{offer.remedy} is offered, and then refused: {planned.refusal or planned.detail}")
        ended = await by_hand.carry_out(planned, run)
        if ended.result != "done":
            raise LabError(f"{offer.remedy}: {ended.result}: {ended.detail}")


def _say(when: str, run: wire.RunDone) -> None:
    found = ", ".join(one.id for one in run.report.findings) or "nothing found"
    print(f"{when}.bundle: {run.report.verdict}; {found}", file=sys.stderr)
