"""node-2's pods share 20 ports to the outside, and all are in use towards one server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import ruled
from tests.lab.clients import PORT, everywhere, held, listening, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault
from tests.lab.nodes import EGRESS

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Another port of that server is another 20."""
    node, outside = lab.nodes[NODE], lab.client
    rule = ("-p", "tcp", *EGRESS, "--to-ports", "50000-50019")
    async with (
        everywhere(lab) as pods,
        listening(outside, PORT),
        listening(outside, PORT + 1),
        ruled(node, "POSTROUTING", *rule, table="nat"),
        held(pods[NODE], outside.address, PORT, 20),
    ):
        await until_gets(lab, pods[NODE], outside.address, PORT, "timeout")
        await until_gets(lab, pods[NODE], outside.address, PORT + 1, "200")
        yield


FAULT = LabFault(id="snat-port-exhaustion", command="svc checkout", broken=broken, node=NODE)
