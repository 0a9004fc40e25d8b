"""Writing rules takes a minute on node-2: kube-proxy there lags behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import missing_endpoints, wrapped
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Bring the pods up while it writes."""
    async with missing_endpoints(lab, NODE, wrapped(lab.nodes[NODE], "iptables-restore", "sleep 60")):
        yield


FAULT = LabFault(
    id="kube-proxy-sync-slow", command="svc checkout", broken=broken, node=NODE, folded=("kube-proxy-stale-rules",)
)
