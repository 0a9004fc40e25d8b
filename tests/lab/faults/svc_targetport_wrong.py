"""The Service's targetPort is one on which no pod listens: the pods refuse."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab import workloads
from tests.lab.breaking import SERVICE, patched, until_all
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Patch the Service; its endpoints stay listed, with the wrong port."""
    port = {"name": "http", "port": 80, "targetPort": 8081, "nodePort": workloads.NODE_PORT}
    async with patched(lab, SERVICE, {"spec": {"ports": [port]}}):
        await until_all(lab, "refused")
        yield


FAULT = LabFault(id="svc-targetport-wrong", command="svc checkout", broken=broken)
