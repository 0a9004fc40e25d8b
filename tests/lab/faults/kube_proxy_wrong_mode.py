"""kube-proxy on node-2 runs in nftables mode, the others in iptables mode."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import configured, until_all, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """What a client sees of it: NodePorts no longer answer on the node's loopback, and do for everybody else."""
    node = lab.nodes[NODE]
    await until_gets(lab, node, "127.0.0.1", "200")
    async with configured(lab, NODE, mode="nftables"):
        await until_gets(lab, node, "127.0.0.1", "refused")
        await until_all(lab, "200")
        yield


FAULT = LabFault(id="kube-proxy-wrong-mode", command="svc checkout", broken=broken, node=NODE)
