"""Docker or ufw has set node-2's FORWARD policy to DROP, and nothing accepts the pods' addresses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import ran
from tests.lab.clients import PORT, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """What kube-proxy has marked passes; what pods say to pods does not."""
    policy = ("iptables", "-w", "-P", "FORWARD")
    async with everywhere(lab) as pods, ran(lab.nodes[NODE], (*policy, "DROP"), (*policy, "ACCEPT")):
        await until_gets(lab, pods[NODE], pods["node-1"].address, PORT, "timeout")
        yield


FAULT = LabFault(id="forward-policy-drop", command="svc checkout", broken=broken, node=NODE)
