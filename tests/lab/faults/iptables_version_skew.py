"""A rule of kube-proxy's firewall on node-2 has lost its match, and drops all that the node sends or gets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab import workloads
from tests.lab.breaking import ruled, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"
HEALTHZ = 10256


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """As an older iptables-nft rewrites it; afterwards restart kube-proxy, whose connection has been silent."""
    node = lab.nodes[NODE]
    await until_gets(lab, node, node.address, "200")
    try:
        async with ruled(node, "KUBE-FIREWALL", "-j", "DROP"):
            await until_gets(lab, lab.client, node.address, "timeout", port=HEALTHZ)
            await until_gets(lab, node, node.address, "timeout")
            yield
    finally:
        await workloads.restart_kube_proxy(lab, NODE)


FAULT = LabFault(id="iptables-version-skew", command="svc checkout", broken=broken, node=NODE)
