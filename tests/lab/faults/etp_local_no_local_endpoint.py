"""externalTrafficPolicy is Local and only one node has an endpoint: the others drop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import SERVICE, patched, scaled
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """One pod; which node it is on is the scheduler's choice."""
    async with scaled(lab, 1), patched(lab, SERVICE, {"spec": {"externalTrafficPolicy": "Local"}}):
        (pod,) = await lab.pods()
        await lab.until_answers({**dict.fromkeys(lab.nodes, "timeout"), pod.node: "200"})
        yield


FAULT = LabFault(id="etp-local-no-local-endpoint", command="svc checkout", broken=broken)
