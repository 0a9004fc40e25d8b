"""node-2 forwards nothing: its pods reach each other and their node, and nobody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import sysctl
from tests.lab.clients import PORT, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """As a hardening script does it."""
    async with everywhere(lab) as pods, sysctl(lab.nodes[NODE], "net.ipv4.ip_forward", "0"):
        await until_gets(lab, pods[NODE], pods["node-1"].address, PORT, "timeout")
        yield


FAULT = LabFault(id="ip-forward-disabled", command="svc checkout", broken=broken, node=NODE)
