"""kube-proxy on node-2 is frozen: it holds its rules from when the Service had no endpoints."""

import os
import signal

from tests.lab import workloads
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


async def inject(lab: Lab) -> None:
    """Freeze it while there are no endpoints; then bring the pods up."""
    await workloads.scale(lab, 0)
    await lab.until_answers(dict.fromkeys(lab.nodes, "refused"))
    for pid in lab.nodes[NODE].pids("kube-proxy"):
        os.kill(pid, signal.SIGSTOP)
    await workloads.scale(lab, 2)
    await lab.until_answers({"node-1": "200", NODE: "refused"})


async def recover(lab: Lab) -> None:
    """Let it go on; a remedy may have replaced it, and then this changes nothing."""
    for pid in lab.nodes[NODE].pids("kube-proxy"):
        os.kill(pid, signal.SIGCONT)


FAULT = LabFault(
    id="kube-proxy-stale-rules",
    command="svc checkout",
    inject=inject,
    recover=recover,
    node=NODE,
    healed_by="restart-kube-proxy",
)
