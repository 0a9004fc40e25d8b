"""On node-2, calls to a Service fail when the endpoint is there as well: the bridge brings the answer past the NAT."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import sysctl
from tests.lab.clients import PORT, cluster_ip, everywhere, pod, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """The pod's own address works all the while."""
    key = "net.bridge.bridge-nf-call-iptables"
    async with everywhere(lab) as pods, pod(lab, NODE) as shopper, sysctl(lab.nodes[NODE], key, "0"):
        await until_gets(lab, shopper, await cluster_ip(lab), 80, "timeout")
        await until_gets(lab, shopper, pods[NODE].address, PORT, "200")
        yield


FAULT = LabFault(id="bridge-nf-off", command="svc checkout", broken=broken, node=NODE)
