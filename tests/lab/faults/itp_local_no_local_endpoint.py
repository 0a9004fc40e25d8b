"""internalTrafficPolicy is Local and only one node has an endpoint: clients on the others time out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import SERVICE, patched, scaled, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """One pod; the clients are the nodes themselves."""
    address = (await lab.admin.call("GET", SERVICE))["spec"]["clusterIP"]
    async with scaled(lab, 1), patched(lab, SERVICE, {"spec": {"internalTrafficPolicy": "Local"}}):
        (pod,) = await lab.pods()
        for node in lab.nodes.values():
            await until_gets(lab, node, address, "200" if node.name == pod.node else "timeout", port=80)
        yield


FAULT = LabFault(id="itp-local-no-local-endpoint", command="svc checkout", broken=broken)
