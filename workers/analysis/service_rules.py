"""Do a node's rules lead a Service's packets where they should go, and since when do they not?

What a REJECT means is decided by the walk: it proves something only where no nat chain leads the packet away first. A
REJECT beside a living DNAT is never reached, since the destination is rewritten before the filter table sees it.
"""

from typing import Literal

import msgspec

from workers.analysis.datapath.match import Packet
from workers.analysis.datapath.rules import Ruleset
from workers.analysis.datapath.walk import walk
from workers.analysis.wanted import Way, slice_port
from workers.core.evidence.rules import Rules
from workers.core.evidence.service import ServiceView
from workers.parsers.iptables import Unreadable

Fate = Literal["dnat", "reject", "drop", "none", "unknown"]
OUTSIDE = "198.51.100.7"  # a client from outside: no pod, no node (RFC 5737)
FILTER = ("KUBE-PROXY-FIREWALL", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES")  # in the order in which packets meet them


class Led(msgspec.Struct, frozen=True):
    """Where a node's rules lead one way's packets.

    destinations: of `dnat`, sorted. rule: the rule that rejects or drops, or why it is unknown.
    """

    fate: Fate
    destinations: tuple[str, ...] = ()
    rule: str = ""

    @property
    def shown(self) -> str:
        """In a table's cell."""
        count = len(self.destinations)
        words = {"reject": "REJECT", "drop": "DROP", "none": "no rule", "unknown": "cannot be read"}
        return words.get(self.fate, f"DNAT to {count} endpoint{'s' * (count != 1)}")


class Difference(msgspec.Struct, frozen=True):
    """One way on which rules and EndpointSlices differ.

    missing: wanted, and not in the rules. dead: in the rules, and not wanted. since: a bound: the difference is as
    old as this Unix time or older; 0 when no slice tells.
    """

    way: Way
    led: Led
    missing: tuple[str, ...]
    dead: tuple[str, ...]
    since: float = 0.0

    @property
    def outage(self) -> bool:
        """No packet of this way reaches an endpoint that should have it."""
        return set(self.led.destinations) <= set(self.dead)


class Compared(msgspec.Struct, frozen=True):
    """One node: where each way leads, on which of them it differs, and what could not be read (with the reason)."""

    led: tuple[tuple[Way, Led], ...] = ()
    differences: tuple[Difference, ...] = ()
    unknown: tuple[tuple[Way, str], ...] = ()
    blind: str = ""  # why nothing could be judged on this node

    @property
    def behind(self) -> bool:
        """The node lags."""
        return bool(self.differences)

    def of(self, way: Way) -> Led | None:
        """Where the way of this door and port leads here (its address may be another one)."""
        for other, led in self.led:
            if (other.door, other.port, other.protocol) == (way.door, way.port, way.protocol):
                return led
        return None


def compare(service: ServiceView, ways: tuple[Way, ...], rules: Rules) -> Compared:
    """What this node's rules do beside what the slices want."""
    if rules.backend == "none":
        return Compared(blind="it has no iptables rules of kube-proxy (another mode, or kube-proxy never ran)")
    try:
        ruleset = Ruleset(rules.tables)
    except Unreadable as error:
        return Compared(blind=f"its rules cannot be read: {error}")
    if not ruleset.has("nat", "KUBE-SERVICES"):
        return Compared(blind=f"its {rules.backend} rules hold no chain KUBE-SERVICES in table nat")
    led = tuple((way, has(ruleset, way)) for way in ways)
    differences = [_difference(service, way, one) for way, one in led if one.fate != "unknown"]
    return Compared(
        led=led,
        differences=tuple(one for one in differences if one and not _unwritten(one)),
        unknown=tuple((way, one.rule) for way, one in led if one.fate == "unknown"),
    )


def has(rules: Ruleset, way: Way) -> Led:
    """Where the node's rules lead a packet of this way."""
    # NodePorts are asked for where they stand: that a node serves them on some of its addresses only is no lag.
    chain = "KUBE-NODEPORTS" if way.door == "node-port" else "KUBE-SERVICES"
    packet = Packet(_source(rules, way), way.address, way.protocol, way.port, to_node=way.door == "node-port")
    ways = walk(rules, "nat", chain, packet)
    unread = ways.of("unknown")
    if unread:
        return Led("unknown", rule=unread[0].rule)
    destinations = tuple(sorted({end.to for end in ways.of("dnat")}))
    if destinations:
        return Led("dnat", destinations)
    for name in FILTER:
        ways = walk(rules, "filter", name, packet)
        for end in sorted(ways.ends, key=lambda end: end.kind):
            if end.kind == "reject" or end.kind == "drop" or end.kind == "unknown":  # noqa: PLR1714 - typed so
                return Led(end.kind, rule=end.rule)
    return Led("none")


def _source(rules: Ruleset, way: Way) -> str:
    """A client from outside; where a load balancer's address admits some networks only, one from there."""
    if way.door != "external-ip":
        return OUTSIDE
    for line in rules.chain("nat", "KUBE-SERVICES"):
        if isinstance(line, Unreadable) or not line.target.startswith("KUBE-FW-"):
            continue
        named = {option.name: option.value for option in line.matches}
        if named.get("-d", "").partition("/")[0] == way.address:
            for inner in rules.chain("nat", line.target):
                if not isinstance(inner, Unreadable):
                    sources = [one.value for one in inner.matches if one.name == "-s" and not one.negated]
                    if sources:
                        return sources[0].partition("/")[0]
    return OUTSIDE


def _difference(service: ServiceView, way: Way, led: Led) -> Difference | None:
    missing = tuple(sorted(set(way.endpoints) - set(led.destinations)))
    dead = tuple(sorted(set(led.destinations) - set(way.endpoints)))
    if way.hinted and led.destinations:
        missing = ()  # kube-proxy may rightly use the part that is meant for this node's zone
    if not missing and not dead:
        return None
    return Difference(way, led, missing, dead, since_bound(service, way, missing, dead))


def _unwritten(difference: Difference) -> bool:
    """kube-proxy may rightly have no rule for an external address (`externalIPs` are switched off in places)."""
    return difference.way.door == "external-ip" and difference.led.fate == "none"


def since_bound(service: ServiceView, way: Way, missing: tuple[str, ...], dead: tuple[str, ...]) -> float:
    """The oldest stamp among the slices whose state the node lacks.

    A slice tells when it changed last, and the node lacks what that change or an earlier one brought: so the lag began
    then or earlier. An endpoint that is in no slice any more was taken out of one of them, by its latest change or
    before: the newest stamp of all is the bound that surely holds.
    """
    port = next(one for one in service.ports if one.name == way.port_name)
    held = {
        one.name: {f"{address}:{slice_port(one, port)}" for end in one.endpoints for address in end.addresses}
        for one in service.slices
    }
    stamps = {one.name: one.changed for one in service.slices if one.changed and one.address_type == "IPv4"}
    bounds: list[float] = []
    for where in (*missing, *dead):
        holding = [changed for name, changed in stamps.items() if where in held[name]]
        if holding or stamps:
            bounds.append(min(holding, default=max(stamps.values())))
    return min(bounds, default=0.0)


def lasting(service: ServiceView, first: Compared, second: Compared) -> tuple[Difference, ...]:
    """What of the first look's differences is still there at the second one. `service`: as of the first look."""
    before = {_key(one.way): one for one in first.differences}
    found: list[Difference] = []
    for now in second.differences:
        then = before.get(_key(now.way))
        if then is None:
            continue
        missing = tuple(where for where in now.missing if where in then.missing)
        dead = tuple(where for where in now.dead if where in then.dead)
        if missing or dead:
            since = since_bound(service, then.way, missing, dead)
            found.append(Difference(now.way, now.led, missing, dead, since))
    return tuple(found)


def _key(way: Way) -> tuple[str, str, int, str]:
    return way.door, way.address, way.port, way.protocol
