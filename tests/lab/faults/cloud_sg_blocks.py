"""The cloud drops what is for pods on node-2 (source/destination check, security group): no node sees it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import Underlay, filtered
from tests.lab.clients import PORT, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """The node's own address is let through."""
    rule = f"ip daddr {lab.nodes[NODE].pod_cidr} counter drop"
    async with everywhere(lab) as pods, filtered(Underlay(), "bridge cloud", forward=(rule,)):
        await until_gets(lab, pods["node-1"], pods[NODE].address, PORT, "timeout")
        yield


FAULT = LabFault(id="cloud-sg-blocks", command="svc checkout", broken=broken, node=NODE)
