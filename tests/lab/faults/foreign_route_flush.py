"""Every node has lost the CNI's routes at one instant: systemd-networkd was restarted and took them for leftovers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.lab.breaking import unrouted
from tests.lab.clients import PORT, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Pods reach those on their own node, and no others."""
    async with everywhere(lab) as pods, AsyncExitStack() as stack:
        for node in lab.nodes.values():
            await stack.enter_async_context(unrouted(node, [one for one in lab.nodes.values() if one is not node]))
        for here, there in (("node-1", "node-2"), ("node-2", "node-1")):
            await until_gets(lab, pods[here], pods[there].address, PORT, "timeout")
        yield


FAULT = LabFault(id="foreign-route-flush", command="svc checkout", broken=broken)
