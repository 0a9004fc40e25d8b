"""What does the API server say of Services, their EndpointSlices and the nodes?"""

import asyncio

import msgspec

from workers.collect.cluster.api import NAMES_ONLY, Api, name_or_missing
from workers.collect.cluster.objects import Condition, Meta, Named, Object, holds, seconds
from workers.core.evidence.service import (
    Endpoint,
    EndpointSlice,
    FindServices,
    GetService,
    Names,
    Node,
    NodeList,
    Nodes,
    ServicePort,
    ServiceView,
    SlicePort,
)

SERVICE_NAME = "kubernetes.io/service-name"  # the label that ties a slice to its Service
PROXY_NAME = "service.kubernetes.io/service-proxy-name"
TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"


class Port(Object, frozen=True):
    """A port of a Service or a slice. `target_port` is a number or a name."""

    name: str | None = None
    protocol: str | None = None
    port: int | None = None
    target_port: int | str | None = None
    node_port: int | None = None


class Ingress(Object, frozen=True):
    """One load balancer address."""

    ip: str | None = None
    ip_mode: str | None = None


class LoadBalancer(Object, frozen=True):
    """A load balancer's addresses."""

    ingress: list[Ingress] | None = None


class ServiceStatus(Object, frozen=True):
    """A Service's status."""

    load_balancer: LoadBalancer | None = None


class ServiceSpec(Object, frozen=True):
    """A Service's spec."""

    type: str | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    cluster_ips: list[str] | None = msgspec.field(default=None, name="clusterIPs")
    external_ips: list[str] | None = msgspec.field(default=None, name="externalIPs")
    ports: list[Port] | None = None
    selector: dict[str, str] | None = None
    external_traffic_policy: str | None = None
    internal_traffic_policy: str | None = None
    session_affinity: str | None = None
    publish_not_ready_addresses: bool | None = None


class Service(Object, frozen=True):
    """A Service."""

    metadata: Meta = Meta()
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None


class EndpointConditions(Object, frozen=True):
    """An endpoint's conditions."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Reference(Object, frozen=True):
    """What an endpoint stands for."""

    kind: str | None = None
    name: str | None = None


class Hint(Object, frozen=True):
    """A zone or a node that an endpoint is meant for."""

    name: str | None = None


class Hints(Object, frozen=True):
    """What an endpoint is meant for."""

    for_zones: list[Hint] | None = None
    for_nodes: list[Hint] | None = None


class SliceEndpoint(Object, frozen=True):
    """One endpoint of a slice."""

    addresses: list[str] | None = None
    conditions: EndpointConditions | None = None
    node_name: str | None = None
    target_ref: Reference | None = None
    hints: Hints | None = None


class Slice(Object, frozen=True):
    """An EndpointSlice."""

    metadata: Meta = Meta()
    address_type: str | None = None
    ports: list[Port] | None = None
    endpoints: list[SliceEndpoint] | None = None


class Address(Object, frozen=True):
    """A node's address."""

    type: str | None = None
    address: str | None = None


class NodeInfo(Object, frozen=True):
    """What a kubelet says of itself."""

    kubelet_version: str | None = None
    operating_system: str | None = None


class NodeStatus(Object, frozen=True):
    """A node's status."""

    addresses: list[Address] | None = None
    conditions: list[Condition] | None = None
    node_info: NodeInfo | None = None


class NodeSpec(Object, frozen=True):
    """A node's spec."""

    unschedulable: bool | None = None


class KubeNode(Object, frozen=True):
    """A node."""

    metadata: Meta = Meta()
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


async def read_service(query: GetService, api: Api) -> ServiceView:
    """The Service and its slices, asked for at the same time."""
    namespace, name = name_or_missing("namespace", query.namespace), name_or_missing("Service", query.name)
    path = f"/api/v1/namespaces/{namespace}/services/{name}"
    service, slices = await asyncio.gather(
        api.get(path, Service, what=f"Service {name} in namespace {namespace}"), list_slices(api, namespace, name)
    )
    return _view(service, slices)


async def list_slices(api: Api, namespace: str, service: str) -> list[Slice]:
    """The EndpointSlices of one Service."""
    return await api.every(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        Slice,
        what=f"the EndpointSlices of {namespace}/{service}",
        select={"labelSelector": f"{SERVICE_NAME}={service}"},
    )


async def find_services(query: FindServices, api: Api) -> Names:
    """Names only: the server leaves specs and statuses out."""
    where = f"namespaces/{name_or_missing('namespace', query.namespace)}/" if query.namespace else ""
    select = {"fieldSelector": f"metadata.name={name_or_missing('Service', query.name)}"} if query.name else {}
    found = await api.every(f"/api/v1/{where}services", Named, what="the Services", select=select, accept=NAMES_ONLY)
    return Names(tuple(sorted(f"{one.metadata.namespace}/{one.metadata.name}" for one in found)))


async def read_nodes(query: Nodes, api: Api) -> NodeList:
    """Every node."""
    del query
    found = await api.every("/api/v1/nodes", KubeNode, what="the nodes")
    return NodeList(tuple(sorted((_node(one) for one in found), key=lambda node: node.name)))


def _view(service: Service, slices: list[Slice]) -> ServiceView:
    meta, spec = service.metadata, service.spec or ServiceSpec()
    return ServiceView(
        namespace=meta.namespace or "",
        name=meta.name or "",
        uid=meta.uid or "",
        type=spec.type or "ClusterIP",
        cluster_ips=_cluster_ips(spec),
        external_ips=_external_ips(spec, service.status),
        ports=tuple(_port(one) for one in spec.ports or ()),
        selector=spec.selector or {},
        external_policy=spec.external_traffic_policy or "Cluster",
        internal_policy=spec.internal_traffic_policy or "Cluster",
        affinity=spec.session_affinity or "None",
        publish_not_ready=bool(spec.publish_not_ready_addresses),
        created=seconds(meta.creation_timestamp),
        proxy=(meta.labels or {}).get(PROXY_NAME, ""),
        slices=tuple(sorted((_slice(one) for one in slices), key=lambda one: one.name)),
    )


def _cluster_ips(spec: ServiceSpec) -> tuple[str, ...]:
    """`None` marks a headless Service; an ExternalName has no address at all."""
    return tuple(ip for ip in spec.cluster_ips or [spec.cluster_ip or ""] if ip not in {"", "None"})


def _external_ips(spec: ServiceSpec, status: ServiceStatus | None) -> tuple[str, ...]:
    balancer = status and status.load_balancer
    # ipMode Proxy: the balancer delivers to node ports, and kube-proxy writes no rule for its address.
    ingress = [one.ip for one in (balancer and balancer.ingress) or () if one.ip and one.ip_mode != "Proxy"]
    return tuple(dict.fromkeys([*(spec.external_ips or ()), *ingress]))


def _port(port: Port) -> ServicePort:
    return ServicePort(
        name=port.name or "",
        protocol=port.protocol or "TCP",
        port=port.port or 0,
        target_port=str(port.target_port or ""),
        node_port=port.node_port or 0,
    )


def _slice(one: Slice) -> EndpointSlice:
    return EndpointSlice(
        name=one.metadata.name or "",
        address_type=one.address_type or "IPv4",
        ports=tuple(SlicePort(port.name or "", port.protocol or "TCP", port.port or 0) for port in one.ports or ()),
        endpoints=tuple(_endpoint(endpoint) for endpoint in one.endpoints or ()),
        changed=_changed(one.metadata),
    )


def _endpoint(one: SliceEndpoint) -> Endpoint:
    said = one.conditions or EndpointConditions()
    ready = said.ready is not False
    return Endpoint(
        addresses=tuple(one.addresses or ()),
        ready=ready,
        serving=ready if said.serving is None else said.serving,
        terminating=bool(said.terminating),
        node=one.node_name or "",
        pod=(one.target_ref.name or "") if one.target_ref and one.target_ref.kind == "Pod" else "",
        hints=_hints(one.hints or Hints()),
    )


def _hints(hints: Hints) -> tuple[str, ...]:
    zones = (f"zone/{one.name}" for one in hints.for_zones or ())
    return tuple(sorted([*zones, *(f"node/{one.name}" for one in hints.for_nodes or ())]))


def _changed(meta: Meta) -> float:
    """When the slice changed last. The annotation holds the time of the pod's or Service's change that led to it."""
    triggered = seconds((meta.annotations or {}).get(TRIGGERED))
    managed = max((seconds(one.time) for one in meta.managed_fields or ()), default=0.0)
    return triggered or managed or seconds(meta.creation_timestamp)


def _node(one: KubeNode) -> Node:
    status = one.status or NodeStatus()
    info = status.node_info or NodeInfo()
    return Node(
        name=one.metadata.name or "",
        uid=one.metadata.uid or "",
        addresses=tuple(a.address for a in status.addresses or () if a.type == "InternalIP" and a.address),
        ready=holds(status.conditions, "Ready"),
        unschedulable=bool(one.spec and one.spec.unschedulable),
        kubelet_version=info.kubelet_version or "",
        os=info.operating_system or "linux",
    )


READS = {GetService: read_service, FindServices: find_services, Nodes: read_nodes}
