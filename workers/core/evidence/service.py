"""Services, their EndpointSlices and the nodes, as the API server tells them."""

import msgspec

from workers.core.query import Query


class ServicePort(msgspec.Struct, frozen=True, omit_defaults=True):
    """One port of a Service; `target_port` as written (a number or a name); `node_port` 0 when there is none."""

    name: str
    protocol: str
    port: int
    target_port: str = ""
    node_port: int = 0


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """One endpoint of a slice. Conditions are as defaulted by EndpointSlice v1: `ready` absent means ready.

    hints: zones and nodes that it is meant for (`zone/a`, `node/n1`); with them kube-proxy may leave it out elsewhere.
    """

    addresses: tuple[str, ...]
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    node: str = ""
    pod: str = ""
    hints: tuple[str, ...] = ()


class SlicePort(msgspec.Struct, frozen=True):
    """One port of a slice, matched to the Service's port by name."""

    name: str
    protocol: str
    port: int


class EndpointSlice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One slice of a Service.

    changed: Unix time of its latest change: `endpoints.kubernetes.io/last-change-trigger-time`, else the newest
    managedFields time, else its
    creation; 0 when none of them can be read. It says nothing of earlier changes.
    """

    name: str
    address_type: str
    ports: tuple[SlicePort, ...]
    endpoints: tuple[Endpoint, ...]
    changed: float = 0.0


class ServiceView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Service with its slices.

    `cluster_ips` is empty for headless ones. Addresses in `external_ips` include load balancer ingress IPs.
    proxy: the label `service.kubernetes.io/service-proxy-name`; kube-proxy leaves a Service with one to that proxy.
    """

    namespace: str
    name: str
    uid: str
    type: str
    cluster_ips: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = {}
    external_policy: str = "Cluster"
    internal_policy: str = "Cluster"
    affinity: str = "None"
    publish_not_ready: bool = False
    created: float = 0.0
    proxy: str = ""
    slices: tuple[EndpointSlice, ...] = ()


class GetService(Query[ServiceView], frozen=True, tag="service"):
    """The Service `namespace/name` with its EndpointSlices; missing `not-found` when there is none."""

    answer = ServiceView

    namespace: str
    name: str


class Names(msgspec.Struct, frozen=True):
    """Objects of one kind as `namespace/name`, sorted."""

    names: tuple[str, ...]


class FindServices(Query[Names], frozen=True, tag="services"):
    """Services by name: `name` in every namespace (or in `namespace`); with an empty name, all of them: for "did
    you mean".
    """

    answer = Names

    name: str = ""
    namespace: str = ""


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """One node. `addresses` are its InternalIPs; `kubelet_version` tells k3s and RKE2 by its suffix."""

    name: str
    uid: str
    addresses: tuple[str, ...] = ()
    ready: bool = True
    unschedulable: bool = False
    kubelet_version: str = ""
    os: str = "linux"


class NodeList(msgspec.Struct, frozen=True):
    """All nodes, sorted by name."""

    nodes: tuple[Node, ...]


class Nodes(Query[NodeList], frozen=True, tag="nodes"):
    """Every node of the cluster."""

    answer = NodeList
