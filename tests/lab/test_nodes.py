"""Nodes are planned before they are made."""

import pytest

from tests.lab import nodes
from tests.lab.cell import Network


@pytest.mark.parametrize("network", ["routed", "vxlan"])
def test_a_tunnel_costs_pods_fifty_bytes(network: Network) -> None:
    """As with flannel."""
    planned = nodes.plan(3, "", network)
    assert {node.pod_mtu for node in planned.values()} == {1450 if network == "vxlan" else 1500}
    assert len({node.tunnel_mac for node in planned.values()}) == 3
