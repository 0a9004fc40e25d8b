"""Which endpoints should a Service's packets reach on a node?

As kube-proxy chooses them (pkg/proxy/topology.go, v1.37): the ready ones; where there is none, those that still serve
while they terminate; with a policy of Local only those on the node itself. `publishNotReadyAddresses` needs no rule
here: the EndpointSlice controller then says `ready` of all.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from workers.core.evidence.service import Endpoint, EndpointSlice, Node, ServicePort, ServiceView

Door = Literal["cluster-ip", "node-port", "external-ip"]


class Way(msgspec.Struct, frozen=True):
    """One way into a Service on one node, and where it should lead.

    protocol: lower case. endpoints: `ip:port`, sorted. hinted: endpoints carry topology hints, so that a node may
    rightly use a part of them.
    """

    door: Door
    address: str
    port: int
    protocol: str
    port_name: str
    endpoints: tuple[str, ...]
    hinted: bool = False

    @property
    def shown(self) -> str:
        """As a person would name it."""
        if self.door == "node-port":
            return f"NodePort {self.port}"
        return f"{'ClusterIP' if self.door == 'cluster-ip' else 'external IP'} {self.address}:{self.port}"


def is_v4(address: str) -> bool:
    """IPv4, by its looks."""
    return ":" not in address


def wanted(service: ServiceView, node: Node, *, port: str = "") -> tuple[Way, ...]:
    """Every IPv4 way into the Service on `node`; none for a headless one, an ExternalName, or another proxy's.

    port: a port's name or number, to ask for that one alone.
    """
    if service.type == "ExternalName" or service.proxy:
        return ()
    found: list[Way] = []
    for one in service.ports:
        if port in {"", one.name, str(one.port)}:
            found += _of_port(service, node, one)
    return tuple(found)


def not_judged(service: ServiceView) -> tuple[str, ...]:
    """The Service's IPv6 addresses: this model reads IPv4 rules alone."""
    return tuple(address for address in (*service.cluster_ips, *service.external_ips) if not is_v4(address))


def _of_port(service: ServiceView, node: Node, port: ServicePort) -> Iterable[Way]:
    cluster = [address for address in service.cluster_ips if is_v4(address)]
    if not cluster:
        return
    all_of_them = endpoints_of(service, port)
    inside = _choose(all_of_them, node if service.internal_policy == "Local" else None)
    outside = _choose(all_of_them, node if service.external_policy == "Local" else None)
    for address in cluster:
        yield _way("cluster-ip", address, port.port, port, inside)
    own = next((address for address in node.addresses if is_v4(address)), "")
    if port.node_port and own:
        yield _way("node-port", own, port.node_port, port, outside)
    for address in service.external_ips:
        if is_v4(address):
            yield _way("external-ip", address, port.port, port, outside)


def _way(door: Door, address: str, number: int, port: ServicePort, chosen: list[tuple[str, Endpoint]]) -> Way:
    return Way(
        door=door,
        address=address,
        port=number,
        protocol=port.protocol.lower(),
        port_name=port.name,
        endpoints=tuple(sorted({where for where, _ in chosen})),
        hinted=any(endpoint.hints for _, endpoint in chosen),
    )


def endpoints_of(service: ServiceView, port: ServicePort) -> list[tuple[str, Endpoint]]:
    """All IPv4 endpoints of a port, ready or not, each as `ip:port` and itself."""
    found: list[tuple[str, Endpoint]] = []
    for one in service.slices:
        number = slice_port(one, port)
        if number and one.address_type == "IPv4":
            found += [(f"{address}:{number}", end) for end in one.endpoints for address in end.addresses[:1]]
    return found


def slice_port(one: EndpointSlice, port: ServicePort) -> int:
    """The number that a Service's port has in a slice (0: it has none there)."""
    for candidate in one.ports:
        if candidate.name == port.name and candidate.protocol == port.protocol:
            return candidate.port
    return 0


def _choose(endpoints: list[tuple[str, Endpoint]], local_to: Node | None) -> list[tuple[str, Endpoint]]:
    if local_to:
        endpoints = [(where, one) for where, one in endpoints if one.node == local_to.name]
    ready = [(where, one) for where, one in endpoints if one.ready]
    return ready or [(where, one) for where, one in endpoints if one.serving and one.terminating]
