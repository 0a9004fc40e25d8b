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
        injected = lab.fault(fault)
        await injected.inject()
        await asyncio.sleep(SETTLED)
        before = await keep(by_hand, injected.fault.command, folder / "before.bundle")
        await _fix(by_hand, before)
        await injected.recover()
        await keep(by_hand, injected.fault.command, folder / "after.bundle")
    return 0


async def keep(by_hand: ByHand, command: str, file: Path) -> wire.RunDone:
    """Write all that a run sees now into a bundle, with the versions of what was looked at."""
    versions = {
        "kubernetes": kubernetes_version(),
        "cell": str(by_hand.lab.cell),
        "kernel": platform.release(),
        "iptables": (await by_hand.lab.nodes["node-1"].exec("iptables", "--version")).strip(),
    }
    run, bundle = await by_hand.record(command, versions)
    await asyncio.to_thread(_write, file, bundle)
    found = ", ".join(one.id for one in run.report.findings) or "nothing found"
    print(f"{file}: {run.report.verdict}; {found}", file=sys.stderr)
    return run


def _write(file: Path, bundle: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bundle)


async def _fix(by_hand: ByHand, run: wire.RunDone) -> None:
    for offer in [offer for one in run.report.findings[:1] for offer in one.remedies][:1]:
        planned = await by_hand.plan(run.target, offer)
        if isinstance(planned, wire.PlanRefused):
            raise LabError(f"{offer.remedy} is offered, and then refused: {planned.refusal or planned.detail}")
        ended = await by_hand.carry_out(planned, run)
        if ended.result != "done":
            raise LabError(f"{offer.remedy}: {ended.result}: {ended.detail}")
