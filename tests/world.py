"""A small made-up cluster as a source of evidence: two nodes, a Service, and rules as kube-proxy v1.37 writes them.

A test says what differs from a healthy cluster, and lets a check look.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import msgspec

from workers.analysis.wanted import wanted
from workers.collect.look import Looker
from workers.core.evidence.kube_proxy import (
    HttpAnswer,
    ProxyPod,
    ProxyPodList,
    ProxyPods,
    ProxyProcess,
    ProxyState,
)
from workers.core.evidence.reach import (
    ApiAnswer,
    ApiAnswers,
    ApiEndpointList,
    ApiEndpoints,
    ApiReach,
    Connect,
    Reached,
)
from workers.core.evidence.rules import Rules, RuleSlice
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
from workers.core.query import Missing, NodeQuery, Query, Seen
from workers.core.target import Target

NOW = 1_795_528_800.0  # 14:00:00 UTC
CHANGED = NOW - 3600.0
API = "172.30.0.1:6443"
SILENT = Missing("timeout", "no answer within 5 s")


def target(**changes: Any) -> Target:
    """The Service of this world, as asked about."""
    return msgspec.structs.replace(Target(cluster="lab", kind="svc", name="checkout", namespace="shop"), **changes)


def node(number: int, **changes: Any) -> Node:
    """`node-1` at 172.30.0.11, and so on."""
    fresh = Node(f"node-{number}", f"uid-{number}", (f"172.30.0.1{number}",), kubelet_version="v1.37.2")
    return msgspec.structs.replace(fresh, **changes)


def endpoint(address: str, where: str = "node-1", **changes: Any) -> Endpoint:
    """A ready endpoint."""
    return msgspec.structs.replace(Endpoint((address,), node=where), **changes)


def a_slice(
    *endpoints: Endpoint, name: str = "checkout-abc", changed: float = CHANGED, **changes: Any
) -> EndpointSlice:
    """One slice, its port on 8080."""
    fresh = EndpointSlice(name, "IPv4", (SlicePort("http", "TCP", 8080),), endpoints, changed)
    return msgspec.structs.replace(fresh, **changes)


def service(*slices: EndpointSlice, **changes: Any) -> ServiceView:
    """shop/checkout, a NodePort Service; two endpoints, one a node, unless told otherwise."""
    fresh = ServiceView(
        namespace="shop",
        name="checkout",
        uid="svc-uid",
        type="NodePort",
        cluster_ips=("10.96.0.10",),
        ports=(ServicePort("http", "TCP", 80, "8080", 30080),),
        selector={"app": "checkout"},
        slices=slices or (a_slice(endpoint("10.244.1.5"), endpoint("10.244.2.7", "node-2")),),
    )
    return msgspec.structs.replace(fresh, **changes)


def rules(known: ServiceView, on: Node) -> Rules:
    """What kube-proxy on a node writes for the Service as it knows it (tests hold this beside a real one's rules)."""
    nat = [":KUBE-SERVICES - [0:0]", ":KUBE-NODEPORTS - [0:0]", ":KUBE-MARK-MASQ - [0:0]"]
    filters = [":KUBE-SERVICES - [0:0]", ":KUBE-EXTERNAL-SERVICES - [0:0]", ":KUBE-PROXY-FIREWALL - [0:0]"]
    chains: list[str] = []
    for way in wanted(known, on):
        own = f"{known.namespace}/{known.name}" + (f":{way.port_name}" if way.port_name else "")
        outside = way.door != "cluster-ip"
        local = (known.external_policy if outside else known.internal_policy) == "Local"
        where = "" if way.door == "node-port" else f"-d {way.address}/32 "
        local_type = "-m addrtype --dst-type LOCAL " if way.door == "node-port" else ""
        port = f"-m {way.protocol} --dport {way.port}"
        if not way.endpoints:
            why, what = ("no local endpoints", "DROP") if local and _any(known) else ("no endpoints", "REJECT")
            reject = " --reject-with icmp-port-unreachable" if what == "REJECT" else ""
            chain = "KUBE-EXTERNAL-SERVICES" if outside else "KUBE-SERVICES"
            filters.append(
                f'-A {chain} {where}-p {way.protocol} -m comment --comment "{own} has {why}" {local_type}{port}'
                f" -j {what}{reject}"
            )
            continue
        svc = f"KUBE-{'SVL' if local else 'SVC'}-{_hash(own, way.protocol)}"
        chain = "KUBE-NODEPORTS" if way.door == "node-port" else "KUBE-SERVICES"
        ext = f"KUBE-EXT-{_hash(own, way.protocol)}"
        nat.append(
            f'-A {chain} {where}-p {way.protocol} -m comment --comment "{own}" {port} -j {ext if outside else svc}'
        )
        if outside and f":{ext} - [0:0]" not in chains:
            chains += [f":{ext} - [0:0]", f"-A {ext} -j {svc}"]
        if f":{svc} - [0:0]" not in chains:
            chains += _balance(own, way.protocol, svc, way.endpoints)
    nat.append(
        '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this'
        ' chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS'
    )
    nat.append("-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000")
    lines = {"filter": tuple(filters), "nat": (*nat, *dict.fromkeys(chains))}
    return Rules("iptables-nft", lines, total=40, kube_chains=20)


def _balance(own: str, protocol: str, svc: str, endpoints: tuple[str, ...]) -> list[str]:
    lines = [f":{svc} - [0:0]"]
    for place, where in enumerate(endpoints):
        sep = f"KUBE-SEP-{_hash(own, where)}"
        left = len(endpoints) - place
        dice = f"-m statistic --mode random --probability {1 / left:.11f} " if left > 1 else ""
        lines += [
            f":{sep} - [0:0]",
            f'-A {svc} -m comment --comment "{own} -> {where}" {dice}-j {sep}',
            f'-A {sep} -s {where.partition(":")[0]}/32 -m comment --comment "{own}" -j KUBE-MARK-MASQ',
            f'-A {sep} -p {protocol} -m comment --comment "{own}" -m {protocol} -j DNAT --to-destination {where}',
        ]
    return lines


def _any(known: ServiceView) -> bool:
    return any(end.ready for one in known.slices for end in one.endpoints)


def _hash(*parts: str) -> str:
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16].upper()


def running(**changes: Any) -> ProxyState:
    """A kube-proxy that is well."""
    well = HttpAnswer("answered", 200)
    fresh = ProxyState(
        pid=1234,
        state="S",
        started=CHANGED - 3600,
        server=f"https://{API}",
        healthz=well,
        metrics=well,
        mode="iptables",
        values={"kubeproxy_sync_proxy_rules_last_timestamp_seconds": CHANGED + 1},
    )
    return msgspec.structs.replace(fresh, **changes)


def stopped() -> ProxyState:
    """Stopped with SIGSTOP: the kernel accepts connections for it, and nobody answers."""
    hangs = HttpAnswer("timeout")
    return running(state="T", healthz=hangs, metrics=hangs, values={})


def pod(on: str, **changes: Any) -> ProxyPod:
    """The kube-proxy pod of a node."""
    fresh = ProxyPod("kube-system", f"kube-proxy-{on[-1]}abcd", f"pod-uid-{on}", on, owner="DaemonSet/kube-proxy")
    return msgspec.structs.replace(fresh, **changes)


Answer = Any  # a value, or a Missing in its place


@dataclass(frozen=True)
class World:
    """A healthy cluster, but for what a test says. known: what a node's kube-proxy knows of the Service.

    then: the world as it is at second looks.
    """

    service: Answer = field(default_factory=service)
    nodes: Answer = field(default_factory=lambda: (node(1), node(2)))
    known: Mapping[str, ServiceView] = field(default_factory=dict)
    rules: Mapping[str, Answer] = field(default_factory=dict)
    processes: Mapping[str, Answer] = field(default_factory=dict)
    pods: Answer = field(default_factory=lambda: (pod("node-1"), pod("node-2")))
    cut: tuple[str, ...] = ()  # nodes without a way to the API server
    api: Mapping[str, Answer] = field(default_factory=dict)
    addresses: Answer = (API,)
    names: tuple[str, ...] = ("shop/checkout",)
    connects: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (node, host) -> state
    silent: tuple[str, ...] = ()  # nodes whose agent does not answer
    at: float = NOW
    then: "World | None" = None

    def but(self, **changes: Any) -> Self:
        """The same world, with something else in it."""
        return replace(self, **changes)

    def look(self) -> Looker:
        """The door to this world, which waits for nothing."""
        return Looker(Answering(self), now=lambda: self.at, wait=False)


class Answering:
    """A world as a source."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[Query[Any]] = []

    async def fetch(self, query: Query[Any]) -> Seen[Any]:
        """The world's answer; the second time that of the world afterwards."""
        world = self.world
        if query in self.asked and world.then is not None:
            world = world.then
        self.asked.append(query)
        where = query.node if isinstance(query, NodeQuery) else ""
        answer = SILENT if where in world.silent and where else ANSWERS[type(query)](world, query)
        source = "agent" if where else "api"
        if isinstance(answer, Missing):
            return Seen(missing=answer, source=source, node=where, at=world.at)
        return Seen(answer, source=source, node=where, at=world.at, took=0.01)


def _or_missing(answer: Answer, made: Any) -> Answer:
    return answer if isinstance(answer, Missing) else made(answer)


def _rules(world: World, query: RuleSlice) -> Answer:
    if query.node in world.rules:
        return world.rules[query.node]
    on = next(one for one in world.nodes if one.name == query.node)
    known = world.known.get(query.node, world.service)
    return rules(service() if isinstance(known, Missing) else known, on)


def _process(world: World, query: ProxyProcess) -> Answer:
    return world.processes.get(query.node, running())


def _connect(world: World, query: Connect) -> Answer:
    state = world.connects.get((query.node, query.host), "open")
    return state if isinstance(state, Missing) else Reached(query.host, query.port, state)


def _api(world: World, query: ApiReach) -> Answer:
    if query.node in world.api:
        return world.api[query.node]
    fate = ApiAnswer(API, "open", tls=True, status=401)
    if query.node in world.cut:
        fate = ApiAnswer(API, "timeout", detail="no answer in time")
    return ApiAnswers((fate,))


def _names(world: World, query: FindServices) -> Answer:
    found = [
        name
        for name in world.names
        if query.name in {"", name.partition("/")[2]} and query.namespace in {"", name.partition("/")[0]}
    ]
    return Names(tuple(found))


def _service(world: World, query: GetService) -> Answer:
    if f"{query.namespace}/{query.name}" not in world.names:
        return Missing("not-found", f"no Service {query.name}")
    return world.service


ANSWERS: dict[type, Any] = {
    GetService: _service,
    FindServices: _names,
    Nodes: lambda world, _: _or_missing(world.nodes, NodeList),
    ProxyPods: lambda world, _: _or_missing(world.pods, ProxyPodList),
    ApiEndpoints: lambda world, _: _or_missing(world.addresses, ApiEndpointList),
    RuleSlice: _rules,
    ProxyProcess: _process,
    Connect: _connect,
    ApiReach: _api,
}
