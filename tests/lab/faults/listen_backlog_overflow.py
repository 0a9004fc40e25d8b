"""An endpoint on node-2 accepts too slowly: its backlog is full, and the kernel drops who knocks."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.lab.breaking import stopped
from tests.lab.clients import PORT, everywhere, held, pod, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """A server that does not accept at all, with its queue filled: a backlog of five holds six."""
    async with (
        everywhere(lab) as pods,
        pod(lab, NODE, "checkout") as slow,
        stopped(slow.pids(Path(sys.executable).name)),
        held(pods["node-1"], slow.address, PORT, 6),
    ):
        await until_gets(lab, pods["node-1"], slow.address, PORT, "timeout")
        yield


FAULT = LabFault(id="listen-backlog-overflow", command="svc checkout", broken=broken, node=NODE)
