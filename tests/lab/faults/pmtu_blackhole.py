"""node-2's way out takes 1,400 bytes, its pods send 1,500, and a rule keeps node-2 from telling them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import ran, ruled
from tests.lab.clients import PORT, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """As after `block all ICMP`. Short requests work."""
    node, mtu = lab.nodes[NODE], ("ip", "link", "set", "eth0", "mtu")
    icmp = ("-p", "icmp", "--icmp-type", "fragmentation-needed", "-j", "DROP")
    async with everywhere(lab) as pods, ruled(node, "OUTPUT", *icmp), ran(node, (*mtu, "1400"), (*mtu, "1500")):
        await until_gets(lab, pods[NODE], pods["node-1"].address, PORT, "timeout", size=8000)
        await until_gets(lab, pods[NODE], pods["node-1"].address, PORT, "200")
        yield


FAULT = LabFault(id="pmtu-blackhole", command="svc checkout", broken=broken, node=NODE)
