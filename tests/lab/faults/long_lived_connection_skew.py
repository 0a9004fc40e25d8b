"""Checkout was scaled out, and a client that keeps its connections never reaches the new pod."""

import asyncio
import contextlib
import http.client
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab import probes, workloads
from tests.lab.breaking import scaled, until_all
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault
from tests.lab.processes import LabError

CONNECTIONS = 12
PAUSE = 0.5  # seconds between two requests on each


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Connect while there is one pod; then scale out, and go on asking."""
    async with scaled(lab, 1) as replicas, _kept(lab) as connections:
        (old,) = await lab.pods()
        await workloads.scale(lab, replicas)
        await workloads.until_ruled(lab, limit=10)
        if (answered := await asyncio.to_thread(_ask, connections)) != {old.pod}:
            raise LabError(f"the kept connections lead to {answered}, not only to {old.pod}")
        asking = asyncio.create_task(_go_on(connections))
        try:
            yield
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError, http.client.HTTPException):
                await asking


@asynccontextmanager
async def _kept(lab: Lab) -> AsyncIterator[list[http.client.HTTPConnection]]:
    """Connections from outside to every node in turn, when each leads to the one pod."""
    await until_all(lab, "200")
    addresses = [node.address for node in lab.nodes.values()]
    connections = [
        http.client.HTTPConnection(addresses[number % len(addresses)], workloads.NODE_PORT, timeout=1)
        for number in range(CONNECTIONS)
    ]
    threads = probes.executor(lab.client.name)  # a socket stays in the network it was made in
    try:
        await asyncio.wrap_future(threads.submit(_ask, connections))
        yield connections
    finally:
        for connection in connections:
            connection.close()
        threads.shutdown()


def _ask(connections: list[http.client.HTTPConnection]) -> set[str]:
    """Which pods answer a request on each."""
    answered = set()
    for connection in connections:
        connection.request("GET", "/")
        answered.add(connection.getresponse().read().decode().strip())
    return answered


async def _go_on(connections: list[http.client.HTTPConnection]) -> None:
    while True:
        await asyncio.to_thread(_ask, connections)
        await asyncio.sleep(PAUSE)


FAULT = LabFault(id="long-lived-connection-skew", command="svc checkout", broken=broken)
