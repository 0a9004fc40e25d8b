"""node-2 does not masquerade: an endpoint on another node answers the client itself, which does not know it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import unruled
from tests.lab.clients import everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault
from tests.lab.workloads import NODE_PORT

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """POSTROUTING no longer jumps to kube-proxy's chain. Endpoints on node-2 itself still serve."""
    jump = ("-m", "comment", "--comment", "kubernetes postrouting rules", "-j", "KUBE-POSTROUTING")
    async with everywhere(lab), unruled(lab.nodes[NODE], "POSTROUTING", *jump, table="nat"):
        await until_gets(lab, lab.client, lab.nodes[NODE].address, NODE_PORT, "timeout")
        yield


FAULT = LabFault(id="masquerade-missing", command="svc checkout", broken=broken, node=NODE)
