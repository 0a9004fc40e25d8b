"""iptables-restore fails on node-2, so that kube-proxy there keeps its old rules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import missing_endpoints, wrapped
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Bring the pods up while nothing can be written."""
    fails = "cat >/dev/null; echo 'iptables-restore: line 2 failed' >&2; exit 2"
    async with missing_endpoints(lab, NODE, wrapped(lab.nodes[NODE], "iptables-restore", fails)):
        yield


FAULT = LabFault(
    id="iptables-partial-sync-failure",
    command="svc checkout",
    broken=broken,
    node=NODE,
    folded=("kube-proxy-stale-rules",),
)
