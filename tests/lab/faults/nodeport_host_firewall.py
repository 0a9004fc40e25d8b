"""A host firewall on node-2 drops what comes from outside for the NodePort, before kube-proxy's rules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab import workloads
from tests.lab.breaking import ruled, until_only
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Drop it in the raw table, where it is not yet rewritten."""
    port = ("-i", "eth0", "-p", "tcp", "--dport", str(workloads.NODE_PORT))
    async with ruled(lab.nodes[NODE], "PREROUTING", *port, "-j", "DROP", table="raw"):
        await until_only(lab, NODE, "timeout")
        yield


FAULT = LabFault(id="nodeport-host-firewall", command="svc checkout", broken=broken, node=NODE)
