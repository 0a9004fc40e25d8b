"""firewalld on node-2 knows ssh and netdiag's agent, and rejects the rest: ports of the node, and pods' traffic."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import filtered
from tests.lab.clients import PORT, everywhere, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"
HEALTHZ = 10256  # kube-proxy's, that load balancers ask


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """What kube-proxy has sent elsewhere (DNAT) passes, as firewalld itself has it."""
    known = ("ct state established,related accept", "iifname lo accept")
    rejected = "counter reject with icmpx type admin-prohibited"
    opened = (*known, "meta l4proto icmp accept", "tcp dport { 22, 9733 } accept")
    forward = (*known, "ct status dnat accept", rejected)
    async with (
        everywhere(lab) as pods,
        filtered(lab.nodes[NODE], "inet firewalld", input=(*opened, rejected), forward=forward),
    ):
        await until_gets(lab, pods["node-1"], pods[NODE].address, PORT, "unreachable")
        await until_gets(lab, lab.client, lab.nodes[NODE].address, HEALTHZ, "unreachable")
        yield


FAULT = LabFault(id="host-firewalld-blocks-infra-ports", command="svc checkout", broken=broken, node=NODE)
