"""Checkout's processes hang: every pod runs, none is ready."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.lab.breaking import stopped, until_all
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Freeze them; three probes later (two seconds each) the endpoints are not ready."""
    python = Path(sys.executable).name
    async with stopped(pid for pod in await lab.pods() for pid in pod.pids(python)):
        await until_all(lab, "refused")
        yield


FAULT = LabFault(id="svc-no-ready-endpoints", command="svc checkout", broken=broken)
