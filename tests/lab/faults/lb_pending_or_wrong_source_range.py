"""The load balancer's address answers nobody but a source range that the client is not in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import SERVICE, patched, ran, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

ADDRESS = "203.0.113.10"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Stand in for a cloud's controller and its routes; then set loadBalancerSourceRanges."""
    route = ("ip", "route", "add", f"{ADDRESS}/32", "via", next(iter(lab.nodes.values())).address)
    ingress = {"status": {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}}
    async with (
        ran(lab.client, route, ("ip", "route", "del", f"{ADDRESS}/32")),
        patched(lab, SERVICE, {"spec": {"type": "LoadBalancer"}}),
        patched(lab, f"{SERVICE}/status", ingress),
    ):
        await until_gets(lab, lab.client, ADDRESS, "200", port=80)
        async with patched(lab, SERVICE, {"spec": {"loadBalancerSourceRanges": ["192.0.2.0/24"]}}):
            await until_gets(lab, lab.client, ADDRESS, "timeout", port=80)
            yield


FAULT = LabFault(id="lb-pending-or-wrong-source-range", command="svc checkout", broken=broken)
