"""node-2's port of the switch takes 1,400 bytes, and everybody else believes in 1,500: what is long never arrives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import Underlay, packet_by_packet, ran
from tests.lab.clients import PORT, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Short requests work."""
    port = ("ip", "link", "set", f"v-{NODE}", "mtu")
    async with (
        everywhere(lab) as pods,
        packet_by_packet([*pods.values(), *lab.nodes.values()]),
        ran(Underlay(), (*port, "1400"), (*port, "1500")),
    ):
        await until_gets(lab, pods["node-1"], pods[NODE].address, PORT, "timeout", size=8000)
        await until_gets(lab, pods["node-1"], pods[NODE].address, PORT, "200")
        yield


FAULT = LabFault(id="mtu-mismatch", command="svc checkout", broken=broken, node=NODE)
