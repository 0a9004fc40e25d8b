"""Checkout is rolled out over and over, and exits at SIGTERM: a burst of errors at each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.cluster import Lab
from tests.lab.faults import LabFault
from tests.lab.processes import until

PAUSE = 1.5  # seconds; kubectl refuses two restarts within one


async def _roll_out(lab: Lab, ending: asyncio.Event) -> None:
    checkout = ("-n", "shop", "rollout")
    while not ending.is_set():
        await lab.kubectl(*checkout, "restart", "deployment/checkout")
        await lab.kubectl(*checkout, "status", "deployment/checkout", "--timeout=25s")
        await asyncio.sleep(PAUSE)


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """A client meets pods that have ended while kube-proxy still leads to them."""
    ending = asyncio.Event()
    rolling = asyncio.create_task(_roll_out(lab, ending))

    async def fails() -> bool:
        return set((await lab.answers()).values()) != {"200"}

    try:
        await until("a client sees a rollout", fails, limit=20, every=0.01)
        yield
    finally:
        ending.set()
        await rolling


FAULT = LabFault(id="rollout-endpoint-lag", command="svc checkout", broken=broken)
