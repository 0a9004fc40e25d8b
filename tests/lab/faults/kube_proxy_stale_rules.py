"""kube-proxy on node-2 is frozen: it holds its rules from when the Service had no endpoints."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab import workloads
from tests.lab.breaking import stopped
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Freeze it while there are no endpoints; then bring the pods up."""
    await workloads.scale(lab, 0)
    await lab.until_answers(dict.fromkeys(lab.nodes, "refused"))
    async with stopped(lab.nodes[NODE].pids("kube-proxy")):
        await workloads.scale(lab, 2)
        await lab.until_answers({**dict.fromkeys(lab.nodes, "200"), NODE: "refused"})
        yield


FAULT = LabFault(
    id="kube-proxy-stale-rules",
    command="svc checkout",
    broken=broken,
    node=NODE,
    healed_by="restart-kube-proxy",
)
