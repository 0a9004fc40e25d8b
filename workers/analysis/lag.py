"""A node's rules lag: what of it is told, beside a node whose rules are right?"""

import shlex

import msgspec

from workers.analysis import proxy_state
from workers.analysis.service_rules import Compared, Difference, Led
from workers.analysis.wanted import Way
from workers.core.evidence.kube_proxy import ProxyPod, ProxyState
from workers.core.evidence.reach import Reached
from workers.core.evidence.service import Node, ServiceView
from workers.core.finding import Comparison, Finding, Offer, Param

FAILED = frozenset({"refused", "timeout", "unreachable"})  # states of a connection that was answered by a no
DOORS = ("node-port", "cluster-ip", "external-ip")  # a NodePort is what can be tried from outside


class Judged(msgspec.Struct, frozen=True):
    """One node and what was made of it. `ways` are those wanted there."""

    node: Node
    ways: tuple[Way, ...]
    compared: Compared
    both_backends: bool = False


class Tried(msgspec.Struct, frozen=True):
    """The same connection, tried towards (or from) the lagging node and one whose rules are right."""

    by: str  # the node that tried the lagging one
    there: Reached | None
    good_by: str  # the node that tried the good one
    good: Reached | None

    @property
    def confirms(self) -> bool:
        """It fails there, and is open where the rules are right: so it is the node, not the endpoint."""
        return (
            self.there is not None
            and self.good is not None
            and self.there.state in FAILED
            and self.good.state == "open"
        )


class Around(msgspec.Struct, frozen=True):
    """What was seen beside the rules. states: kube-proxy, by node; None where it could not be seen."""

    states: dict[str, ProxyState | None]
    tried: Tried | None
    pod: ProxyPod | None


def worst(differences: tuple[Difference, ...]) -> Difference:
    """The difference that the sentence is about: an outage before a part, a NodePort before a ClusterIP."""
    return min(differences, key=lambda one: (not one.outage, not one.missing, DOORS.index(one.way.door), one.way.port))


def is_right(judged: Judged, way: Way) -> bool:
    """This node's rules are right altogether, and lead this way's packets to endpoints."""
    led = judged.compared.of(way)
    clean = not judged.compared.behind and not judged.compared.blind and not judged.compared.unknown
    return clean and led is not None and led.fate == "dnat"


def finding(service: ServiceView, lagging: Judged, good: Judged | None, around: Around) -> Finding:
    """The finding of one lagging node."""
    state, tried = around.states.get(lagging.node.name), around.tried
    differences = lagging.compared.differences
    main = worst(differences)
    since = min((one.since for one in differences if one.since), default=0.0)
    reason = proxy_state.reason(state)
    node = lagging.node.name
    params: dict[str, Param] = {
        "node": node,
        "service": f"{service.namespace}/{service.name}",
        "way": main.way.shown,
        "since": since,
        "since_when": "known" if since else "unknown",
        "effect": _effect(main),
        "ready": len(main.way.endpoints),
        "lacking": len(main.missing),
        "dead": len(main.dead),
        "reason": reason,
        "pid": state.pid if state else 0,
        "state": state.state if state else "",
    }
    return Finding(
        id="kube-proxy-stale-rules",
        severity="critical" if any(one.outage and one.missing for one in differences) else "warning",
        confidence="confirmed" if tried and tried.confirms else "inferred",
        params=params,
        scope={"node": node},
        evidence=tuple(_evidence(lagging, state, tried)),
        command=command(service, node, around.pod),
        compare=table(main, lagging, good, around),
        remedies=() if reason == "gone" else (Offer("restart-kube-proxy", {"node": node}),),
        no_remedy="not-running" if reason == "gone" else "",
    )


def _effect(main: Difference) -> str:
    if main.missing and not main.outage:
        return "partial"
    if not main.missing or main.led.fate == "dnat":
        return "dead"
    return {"reject": "rejected", "drop": "dropped"}.get(main.led.fate, "no-rule")


def _evidence(lagging: Judged, state: ProxyState | None, tried: Tried | None) -> list[str]:
    node = lagging.node.name
    lines: list[str] = []
    for one in lagging.compared.differences:
        leads = ", ".join(one.led.destinations) or one.led.shown
        should = ", ".join(one.way.endpoints) or "no endpoint"
        lines.append(f"{one.way.shown} on {node}: {leads}; the EndpointSlices want {should}")
        if one.led.rule:
            lines.append(f"the rule on {node}: {one.led.rule}")
    lines.append(f"kube-proxy on {node}: {proxy_state.process_cell(state)}; healthz: {proxy_state.health_cell(state)}")
    if tried and tried.there:
        lines.append(f"TCP from {tried.by} to {tried.there.host}:{tried.there.port}: {tried.there.state}")
    if tried and tried.good:
        lines.append(f"TCP from {tried.good_by} to {tried.good.host}:{tried.good.port}: {tried.good.state}")
    if lagging.both_backends:
        lines.append(f"both iptables backends hold KUBE- chains on {node}")
    return lines


def table(main: Difference, lagging: Judged, good: Judged | None, around: Around) -> Comparison:
    """As it should be beside as it is; only as it is, where no node is right."""
    tried = around.tried
    sides = [one for one in (good, lagging) if one]
    reached = {lagging.node.name: tried.there if tried else None}
    if good:
        reached[good.node.name] = tried.good if tried else None
    rows = [
        (f"rule for {main.way.shown}", *(_rule(one, main.way) for one in sides)),
        ("endpoints in rules", *(_counted(one, main.way) for one in sides)),
        ("TCP connect", *(_reached(reached[one.node.name]) for one in sides)),
    ]
    cells = (
        ("kube-proxy process", proxy_state.process_cell),
        ("healthz", proxy_state.health_cell),
        ("last sync", proxy_state.sync_cell),
    )
    rows += [(name, *(cell(around.states.get(one.node.name)) for one in sides)) for name, cell in cells]
    return Comparison(("", *(one.node.name for one in sides)), tuple(rows))


def _rule(judged: Judged, way: Way) -> str:
    led = judged.compared.of(way) or Led("none")
    return f"{led.shown} (no endpoints)" if led.fate == "reject" else led.shown


def _counted(judged: Judged, way: Way) -> str:
    led = judged.compared.of(way) or Led("none")
    same = (one for one in judged.ways if (one.door, one.port, one.protocol) == (way.door, way.port, way.protocol))
    should = {where for one in same for where in one.endpoints}
    right = len(should & set(led.destinations))
    wrong = len(set(led.destinations) - should)
    return f"{right} of {len(should)}" + (f", and {wrong} wrong" if wrong else "")


def _reached(reached: Reached | None) -> str:
    return reached.state if reached else "not tried"


def command(service: ServiceView, node: str, pod: ProxyPod | None) -> str:
    """What an engineer could type to see it."""
    grep = f"grep -E {shlex.quote(f'{service.namespace}/{service.name}[: ' + chr(34) + ']')}"
    if pod is None:
        return f"iptables-save | {grep}  # on {node}"
    return f"kubectl -n {shlex.quote(pod.namespace)} exec {shlex.quote(pod.name)} -- iptables-save | {grep}"
