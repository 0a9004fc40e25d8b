"""The Service's selector has a typo: it matches no pod, and every node refuses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import SERVICE, patched, until_all
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Patch the Service; the real controller empties its EndpointSlice."""
    async with patched(lab, SERVICE, {"spec": {"selector": {"app": "chekcout"}}}):
        await until_all(lab, "refused")
        yield


FAULT = LabFault(id="svc-selector-mismatch", command="svc checkout", broken=broken)
