"""Does every node's kube-proxy do what the EndpointSlices ask, and if not, which node lags and since when?

The proof is the difference itself: what the rules of one node do, beside what the slices want. A quiet kube-proxy is
no sign of anything (healthz stays 200 while nothing is queued), so its process and ports only name a reason.
"""

import msgspec

from workers.analysis import lag, service_rules
from workers.analysis.lag import Around, Judged, Tried
from workers.analysis.seeing import linux, named, unknown, why
from workers.analysis.wanted import not_judged, wanted
from workers.core.declare import Check, Look, Said
from workers.core.evidence.kube_proxy import ProxyPod, ProxyPods, ProxyProcess, ProxyState
from workers.core.evidence.reach import Connect
from workers.core.evidence.rules import Rules, RuleSlice
from workers.core.evidence.service import GetService, Node, Nodes, ServiceView
from workers.core.finding import Finding, Unknown
from workers.core.target import Target

GRACE = 10.0  # seconds; kube-proxy batches changes (minSyncPeriod 1 s), so younger differences prove nothing


async def analyse(target: Target, look: Look) -> Said:
    """One finding for each node that lags."""
    asked = GetService(target.namespace, target.name)
    seen, nodes = await look.both(asked, Nodes())
    if seen.value is None:
        return Said(unknown=(unknown(f"Service {target.namespace}/{target.name}", seen, asked),))
    if nodes.value is None:
        return Said(unknown=(unknown("the nodes", nodes, Nodes()),))
    service = seen.value
    if nothing := _no_rules(service):
        return nothing
    judged, unseen = await _judge(service, linux(nodes.value.nodes), target.port, look)
    settled, unsettled = await _settle(service, judged, target.port, look)
    findings = [await _tell(service, one, settled, look) for one in settled if one.compared.behind]
    missing = (*_ipv6(service), *unseen, *unsettled)
    return Said(tuple(findings), _proven(service, settled), missing)


def _no_rules(service: ServiceView) -> Said | None:
    """kube-proxy writes no rules for some Services."""
    name = f"{service.namespace}/{service.name}"
    if service.proxy:
        return Said(unknown=(Unknown(f"the rules of {name}", f"they are kept by another proxy, {service.proxy}"),))
    if service.type == "ExternalName":
        return Said(healthy=(f"{name} is an ExternalName: no node needs rules for it",))
    if not service.cluster_ips:
        return Said(healthy=(f"{name} is headless: no node needs rules for it",))
    return None


def _ipv6(service: ServiceView) -> tuple[Unknown, ...]:
    addresses = not_judged(service)
    what = f"the IPv6 rules of {service.namespace}/{service.name}"
    return (Unknown(what, f"only IPv4 rules are judged ({', '.join(addresses)})"),) if addresses else ()


def _slice(service: ServiceView, node: str) -> RuleSlice:
    """Always the whole Service, so that every check of a run asks the same and is answered once."""
    return RuleSlice(
        node=node,
        namespace=service.namespace,
        name=service.name,
        addresses=(*service.cluster_ips, *service.external_ips),
        ports=tuple(f"{port.protocol.lower()}/{port.port}" for port in service.ports),
        node_ports=tuple(f"{port.protocol.lower()}/{port.node_port}" for port in service.ports if port.node_port),
    )


class _Look(msgspec.Struct, frozen=True):
    """One node's judgement with the time of its rules, and the query that showed them."""

    judged: Judged
    at: float
    query: RuleSlice


async def _judge(
    service: ServiceView, nodes: tuple[Node, ...], port: str, look: Look
) -> tuple[list[_Look], list[Unknown]]:
    queries = [_slice(service, node.name) for node in nodes]
    judged: list[_Look] = []
    unseen: list[Unknown] = []
    for node, query, seen in zip(nodes, queries, await look.all(queries), strict=True):
        if seen.value is None:
            unseen.append(unknown(f"the rules on {named(node)}", seen, query))
            continue
        one = _Look(_compare(service, node, port, seen.value), seen.at, query)
        judged.append(one)
        unseen += _unread(one.judged)
    return judged, unseen


def _compare(service: ServiceView, node: Node, port: str, rules: Rules) -> Judged:
    ways = wanted(service, node, port=port)
    return Judged(node, ways, service_rules.compare(service, ways, rules), rules.other_backend)


def _unread(judged: Judged) -> list[Unknown]:
    compared, node = judged.compared, judged.node.name
    if compared.blind:
        return [Unknown(f"the rules on {node}", compared.blind)]
    return [Unknown(f"{way.shown} on {node}", f"a rule cannot be read: {reason}") for way, reason in compared.unknown]


async def _settle(
    service: ServiceView, looks: list[_Look], port: str, look: Look
) -> tuple[list[Judged], list[Unknown]]:
    """Drop what is younger than the grace time, unless it is still there when that is over."""
    settled: list[Judged] = []
    unsettled: list[Unknown] = []
    for one in looks:
        differences = one.judged.compared.differences
        proven = tuple(each for each in differences if one.at - each.since >= GRACE and each.since)
        if differences and not proven:
            youngest = max((each.since for each in differences if each.since), default=one.at)
            age = min(max(one.at - youngest, 0.0), GRACE)
            again = await _again(service, one, port, GRACE - age, look)
            if isinstance(again, Unknown):
                unsettled.append(again)
            else:
                settled.append(again)
            continue
        compared = msgspec.structs.replace(one.judged.compared, differences=proven)
        settled.append(msgspec.structs.replace(one.judged, compared=compared))
    return settled, unsettled


async def _again(service: ServiceView, first: _Look, port: str, wait: float, look: Look) -> Judged | Unknown:
    """The second look, with the differences that are there at both: they have outlived the grace time."""
    node = first.judged.node
    asked = GetService(service.namespace, service.name)
    now = await look.later(asked, after=wait)
    rules = await look.later(first.query, after=wait)
    if now.value is None or rules.value is None:
        reason = why(now.missing, asked) if now.value is None else why(rules.missing, first.query)
        return Unknown(f"whether kube-proxy on {node.name} only needs a moment", f"no second look: {reason}")
    second = _compare(now.value, node, port, rules.value)
    if second.compared.blind:
        return Unknown(f"the rules on {node.name}", second.compared.blind)
    lasting = service_rules.lasting(service, first.judged.compared, second.compared)
    return msgspec.structs.replace(second, compared=msgspec.structs.replace(second.compared, differences=lasting))


def _proven(service: ServiceView, judged: list[Judged]) -> tuple[str, ...]:
    seen = [one for one in judged if not one.compared.blind]
    right = [one for one in seen if not one.compared.behind and not one.compared.unknown]
    if not right:
        return ()
    lines = [f"node rules agree with the EndpointSlices on {len(right)} of {len(seen)} nodes"]
    fates = {led.fate for one in right for _, led in one.compared.led}
    if not any(way.endpoints for one in seen for way in one.ways) and fates <= {"reject", "drop"}:
        lines.append(
            f"nothing behind {service.name} is ready to be led to; its rules reject on every node as they should"
        )
    return tuple(lines)


async def _tell(service: ServiceView, lagging: Judged, everyone: list[Judged], look: Look) -> Finding:
    main = lag.worst(lagging.compared.differences)
    right = [one for one in everyone if one.node.ready and lag.is_right(one, main.way)]
    good = right[0] if right else None
    queries = [ProxyProcess(one.node.name) for one in (lagging, good) if one]
    seen = await look.all(queries)
    states: dict[str, ProxyState | None] = {query.node: one.value for query, one in zip(queries, seen, strict=True)}
    tried = await _try(lagging, good, main, look)
    pod = await _pod(lagging.node.name, look)
    return lag.finding(service, lagging, good, Around(states, tried, pod))


async def _try(lagging: Judged, good: Judged | None, main: service_rules.Difference, look: Look) -> Tried | None:
    """One connection each: the kernel limits how often it says that a port is rejected, so never in a loop.

    A NodePort is tried from the good node, towards both; a ClusterIP on both nodes themselves.
    """
    way = main.way
    if way.protocol != "tcp" or good is None:
        return None
    if way.door == "node-port":
        by = good.node.name
        own = next(one.address for one in good.ways if one.door == "node-port" and one.port == way.port)
        queries = [Connect(by, way.address, way.port), Connect(by, own, way.port)]
    else:
        by = lagging.node.name
        queries = [Connect(by, way.address, way.port), Connect(good.node.name, way.address, way.port)]
    there, here = await look.all(queries)
    return Tried(by, there.value, good.node.name, here.value)


async def _pod(node: str, look: Look) -> ProxyPod | None:
    pods = await look(ProxyPods())
    return next((pod for pod in pods.value.pods if pod.node == node), None) if pods.value else None


CHECK = Check(
    id="kube-proxy.stale-rules",
    title="Do all nodes' rules follow the EndpointSlices?",
    analyse=analyse,
    commands=("svc",),
    faults=("kube-proxy-stale-rules",),
    guide=("iptables规则分析", "深入理解kube-proxy", "案例1"),
)
