"""node-2 does not masquerade what its pods send out of the cluster: nobody there knows a way back to a pod."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import unruled
from tests.lab.clients import PORT, everywhere, listening, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault
from tests.lab.nodes import EGRESS

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """The node itself reaches the outside."""
    node, outside = lab.nodes[NODE], lab.client
    async with everywhere(lab) as pods, listening(outside, PORT), unruled(node, "POSTROUTING", *EGRESS, table="nat"):
        await until_gets(lab, pods[NODE], outside.address, PORT, "timeout")
        await until_gets(lab, node, outside.address, PORT, "200")
        yield


FAULT = LabFault(id="nat-outgoing-missing", command="svc checkout", broken=broken, node=NODE)
