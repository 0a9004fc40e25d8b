"""The controller manager hangs: the EndpointSlices keep the addresses of pods that are gone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import pids_of, stopped, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Freeze it, then delete the pods: nobody makes new ones either."""
    async with stopped(pids_of("kube-controller-manager")):
        await lab.kubectl("-n", "shop", "delete", "pod", "-lapp=checkout")
        for node in lab.nodes.values():
            await until_gets(lab, lab.client, node.address, "timeout", "unreachable")
        yield


FAULT = LabFault(id="endpointslice-controller-down", command="svc checkout", broken=broken)
