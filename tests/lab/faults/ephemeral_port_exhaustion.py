"""A pod on node-2 holds so many connections to one endpoint that it has no port left to open another from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import sysctl
from tests.lab.clients import PORT, everywhere, held, pod, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Its range is made small; other pods have their own."""
    async with everywhere(lab) as pods, pod(lab, NODE) as shopper:
        server = pods["node-1"].address
        async with (
            sysctl(shopper, "net.ipv4.ip_local_port_range", "40000 40020"),
            held(shopper, server, PORT, 21),
        ):
            await until_gets(lab, shopper, server, PORT, "no port")
            await until_gets(lab, pods[NODE], server, PORT, "200")
            yield


FAULT = LabFault(id="ephemeral-port-exhaustion", command="svc checkout", broken=broken, node=NODE)
