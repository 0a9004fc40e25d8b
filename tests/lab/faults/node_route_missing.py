"""node-2 has lost its route to node-1's pods: what is for them goes to the default gateway, which knows no pods."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import unrouted
from tests.lab.clients import PORT, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """The other pairs of nodes are as they were."""
    async with everywhere(lab) as pods, unrouted(lab.nodes[NODE], [lab.nodes["node-1"]]):
        await until_gets(lab, pods[NODE], pods["node-1"].address, PORT, "timeout")
        yield


FAULT = LabFault(id="node-route-missing", command="svc checkout", broken=broken, node=NODE)
