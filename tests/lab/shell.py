"""A shell in the lab, for an engineer who wants to see with their own tools what is broken."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from tests.lab.cell import Cell
from tests.lab.cluster import Lab
from tests.lab.processes import LabError

WELCOME = """
{state}
  kubectl get pods -A -o wide             (you are cluster admin)
  ip netns exec node-2 iptables-save      node-1, node-2, node-3: the nodes; client: somebody outside
  ip netns exec client curl -m 2 {url}
  logs of every component: {logs}
Leave with `exit`; nothing stays behind.
"""


async def shell(fault: str | None, cell: Cell) -> int:
    """Start the lab, break it if asked to, and hand it over. The shell's exit code."""
    async with Lab(cell=cell) as lab:
        state, injected = f"A healthy cluster ({cell}), started in {lab.started_in:.0f} s.", None
        if fault:
            injected = lab.fault(fault)
            await injected.inject()
            state = f"Broken: {fault}. {(sys.modules[injected.fault.broken.__module__].__doc__ or '').strip()}"
        url = f"http://{lab.nodes['node-2'].address}:30080"
        print(WELCOME.format(state=state, url=url, logs=lab.logs), flush=True)
        argv = ["bash", "--rcfile", str(_rc(lab, fault)), "-i"]
        process = await asyncio.create_subprocess_exec(*argv)
        code = await process.wait()
        if injected:
            with contextlib.suppress(LabError):  # whoever played may have left nothing to undo
                await injected.undo()
        return code


def _rc(lab: Lab, fault: str | None) -> Path:
    path = lab.state / "bashrc"
    folders = f"{lab.nodes['node-1'].path}:{lab.binaries}:{os.environ['PATH']}:/usr/sbin:/sbin"
    path.write_text(
        f"export KUBECONFIG={lab.kubeconfig('admin')} PATH={folders}\nPS1='(lab: {fault or 'healthy'}) \\w\\$ '\n"
    )
    return path
