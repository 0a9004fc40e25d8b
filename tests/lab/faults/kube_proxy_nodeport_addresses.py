"""kube-proxy on node-2 serves NodePorts only on addresses that the node does not have."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import configured, until_only
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Set nodePortAddresses in the ConfigMap; only node-2's kube-proxy has read it."""
    async with configured(lab, NODE, nodePortAddresses=["10.99.0.0/24"]):
        await until_only(lab, NODE, "refused")
        yield


FAULT = LabFault(id="kube-proxy-nodeport-addresses", command="svc checkout", broken=broken, node=NODE)
