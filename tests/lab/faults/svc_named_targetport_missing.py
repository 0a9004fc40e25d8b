"""The Service's targetPort is a name that no container port has: its endpoints have no port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab import workloads
from tests.lab.breaking import SERVICE, patched, until_all
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Patch the Service; the pods call their port http."""
    port = {"name": "http", "port": 80, "targetPort": "web", "nodePort": workloads.NODE_PORT}
    async with patched(lab, SERVICE, {"spec": {"ports": [port]}}):
        await until_all(lab, "refused")
        yield


FAULT = LabFault(id="svc-named-targetport-missing", command="svc checkout", broken=broken)
