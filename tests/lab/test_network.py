"""The cluster's own DNS and network work as on a real cluster, for pods on every node."""

import asyncio
import fcntl

import pytest

from tests.lab import lookup, nodes, upstream
from tests.lab.cluster import Lab
from tests.lab.processes import LabError
from tests.lab.workloads import DNS_ADDRESS

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]


async def _ask(lab: Lab, name: str) -> set[str]:
    pods = await lab.pods(selector="app=cart")
    return set(await asyncio.gather(*(lookup.ask(pod.name, name, DNS_ADDRESS) for pod in pods)))


async def test_coredns_answers_pods_of_every_node(lab: Lab) -> None:
    """A cluster name, one that is not there, and names outside, by kube-proxy's rules for 10.96.0.10."""
    service = await lab.admin.call("GET", "/api/v1/namespaces/shop/services/cart")
    assert {pod.node for pod in await lab.pods(selector="app=cart")} == set(lab.nodes)
    assert await _ask(lab, "cart.shop.svc.cluster.local") == {service["spec"]["clusterIP"]}
    assert await _ask(lab, "no-such-service.shop.svc.cluster.local") == {"NXDOMAIN"}
    assert await _ask(lab, upstream.OUTSIDE_NAME) == {nodes.CLIENT_ADDRESS}
    assert await _ask(lab, "no-such-name.example") == {"NXDOMAIN"}


async def test_coredns_runs_twice_on_two_nodes(lab: Lab) -> None:
    """As kubeadm runs it."""
    pods = await lab.pods("kube-system", "k8s-app=kube-dns")
    assert len({pod.node for pod in pods}) == len(pods) == 2


async def test_every_node_has_a_few_pods(lab: Lab) -> None:
    """A fault of one pod must be told from a fault of its node."""
    placed = [pod.node for selector in ("app=cart", "app=checkout") for pod in await lab.pods(selector=selector)]
    assert all(placed.count(node) >= 2 for node in lab.nodes)


async def test_a_node_has_its_own_xtables_lock(lab: Lab) -> None:
    """Who holds one node's lock stops nobody on another node."""
    well, stuck = lab.nodes["node-1"], lab.nodes["node-2"]
    legacy = ("xtables-legacy-multi", "iptables", "-w", "1", "-t", "raw", "-S")
    with nodes.xtables_lock(stuck.name).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        await well.exec(*legacy)
        with pytest.raises(LabError, match="xtables lock"):
            await stuck.exec(*legacy)
