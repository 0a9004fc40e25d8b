"""A pod on node-2 does not reach itself through its own Service: its port of cni0 sends nothing back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import ran
from tests.lab.clients import cluster_ip, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """One call of its own in as many as there are endpoints is lost."""
    async with everywhere(lab) as pods:
        port = ("bridge", "link", "set", "dev", pods[NODE].outer, "hairpin")
        async with ran(lab.nodes[NODE], (*port, "off"), (*port, "on")):
            await until_gets(lab, pods[NODE], await cluster_ip(lab), 80, "timeout")
            yield


FAULT = LabFault(id="hairpin-off", command="svc checkout", broken=broken, node=NODE)
