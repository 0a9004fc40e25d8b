"""A foreign firewall, in an nftables table that iptables-save does not show, drops what node-2 forwards to its pods."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import filtered
from tests.lab.clients import PORT, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """The node itself still reaches its pods, so they stay ready."""
    async with everywhere(lab) as pods:
        rule = f"ip daddr {lab.nodes[NODE].pod_cidr} counter drop"
        async with filtered(lab.nodes[NODE], "inet corpfw", forward=(rule,)):
            await until_gets(lab, pods["node-1"], pods[NODE].address, PORT, "timeout")
            yield


FAULT = LabFault(id="foreign-drop-rule", command="svc checkout", broken=broken, node=NODE)
