"""A healthy cluster that is busy: what goes on there must not be taken for a fault."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tests.lab.workloads import NODE_PORT

if TYPE_CHECKING:
    from tests.lab.cluster import Lab

CLIENTS = 8
ROLLED = "deployment/checkout"


@contextlib.asynccontextmanager
async def load(lab: "Lab") -> AsyncIterator[None]:
    """Somebody outside asks checkout at every node, as fast as `CLIENTS` connections at a time can."""
    addresses = [node.address for node in lab.nodes.values()]

    async def ask(first: int) -> None:
        turn = first
        while True:
            await lab.truth(lab.client).get(addresses[turn % len(addresses)], NODE_PORT)
            turn += 1

    asking = [asyncio.create_task(ask(first)) for first in range(CLIENTS)]
    try:
        yield
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


@contextlib.asynccontextmanager
async def rolling(lab: "Lab") -> AsyncIterator[None]:
    """The pods of checkout are being replaced; at the end all are."""
    await lab.kubectl("-n", "shop", "rollout", "restart", ROLLED)
    try:
        yield
    finally:
        await lab.kubectl("-n", "shop", "rollout", "status", ROLLED, "--timeout=60s", limit=70)
        await lab.healthy()
