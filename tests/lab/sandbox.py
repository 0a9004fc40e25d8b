"""A pod's own network: a namespace behind the node's cni0 with an address of the node's pod CIDR."""

import collections
import contextlib

from tests.lab.nodes import Node, batch
from tests.lab.processes import LabError, run


class Addresses:
    """A node's pod addresses. The one given back longest ago is given out first, as CNI's host-local does: a stale
    rule must meet nobody, not a new pod.
    """

    def __init__(self, prefix: str) -> None:
        self._free = collections.deque(f"{prefix}.{host}" for host in range(2, 255))

    def take(self) -> str:
        """A free address."""
        if not self._free:
            raise LabError("no pod address is left on this node")
        return self._free.popleft()

    def give_back(self, address: str) -> None:
        """It is free again."""
        self._free.append(address)


def network_of(uid: str) -> str:
    """The network namespace of the pod with that UID."""
    return f"pod-{uid[:8]}"


def outer_of(network: str) -> str:
    """The node's end of the cable to a pod's network."""
    return f"veth{network.removeprefix('pod-')}"


async def create(node: Node, name: str, address: str) -> None:
    """A namespace `name` with `address`, joined to the node."""
    outer = outer_of(name)
    await run("ip", "netns", "add", name)
    await batch(
        node.name,
        f"link add {outer} mtu {node.pod_mtu} type veth peer name eth0 mtu {node.pod_mtu} netns {name}",
        f"link set {outer} master cni0 up",
    )
    # A pod's packets to its own Service come back by the port they left by.
    await run("bridge", "-n", node.name, "link", "set", "dev", outer, "hairpin", "on")
    await batch(
        name,
        "link set lo up",
        f"addr add {address}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {node.pod_prefix}.1",
    )


async def destroy(name: str) -> None:
    """The namespace and its cable go away."""
    with contextlib.suppress(LabError):  # half made, when its pod was deleted early
        await run("ip", "-n", name, "link", "delete", "eth0")  # the namespace lives on while somebody looks out of it
        await run("ip", "netns", "delete", name)
