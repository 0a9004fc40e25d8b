"""kube-proxy on node-2 ends at every start, by a typo in its configuration: its rules are frozen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import configured, missing_endpoints
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Bring the pods up while it cannot start."""
    async with missing_endpoints(lab, NODE, configured(lab, NODE, mode="iptabels")):
        yield


FAULT = LabFault(
    id="kube-proxy-crash", command="svc checkout", broken=broken, node=NODE, folded=("kube-proxy-stale-rules",)
)
