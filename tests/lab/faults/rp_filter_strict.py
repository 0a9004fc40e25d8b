"""node-2 has a second cable, takes what comes by it for forged, and drops it: its own way back is the first one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import ran, sysctl
from tests.lab.clients import PORT, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault
from tests.lab.nodes import batch

NODE = "node-2"
FAR = "172.31.0.2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """node-1 sends by the second cable. Without the filter, that works."""
    one, two = lab.nodes["node-1"], lab.nodes[NODE]
    way = ("ip", "route", "replace", two.pod_cidr, "via")
    cable = ("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", NODE)
    async with everywhere(lab) as pods, ran(one, cable, ("ip", "link", "delete", "eth1")):
        for node, address in ((one, "172.31.0.1/30"), (two, FAR + "/30")):
            await batch(node.name, f"addr add {address} dev eth1", "link set eth1 up")
        async with ran(one, (*way, FAR), (*way, two.address)):
            await until_gets(lab, pods["node-1"], pods[NODE].address, PORT, "200")
            async with sysctl(two, "net.ipv4.conf.eth1.rp_filter", "1"):
                await until_gets(lab, pods["node-1"], pods[NODE].address, PORT, "timeout")
                yield


FAULT = LabFault(id="rp-filter-strict", command="svc checkout", broken=broken, node=NODE)
