"""What becomes of a connection's first packet on a node? All tables in the order in which the kernel asks them.

Order (Linux, `nf_hook` priorities): raw, mangle, nat, filter at each hook. A packet of the node itself begins at
OUTPUT; one for the node itself that it made comes back by `lo`, where raw and mangle see it again and nat does not.
"""

import ipaddress
from typing import Literal

import msgspec

from workers.analysis.datapath.marks import UNMARKED
from workers.analysis.datapath.match import Packet
from workers.analysis.datapath.rules import Ruleset
from workers.analysis.datapath.walk import End, walk

Hooks = tuple[tuple[str, str], ...]
MADE: Hooks = (("raw", "OUTPUT"), ("mangle", "OUTPUT"), ("nat", "OUTPUT"), ("filter", "OUTPUT"))
ARRIVED: Hooks = (("raw", "PREROUTING"), ("mangle", "PREROUTING"), ("nat", "PREROUTING"))
RETURNED: Hooks = (("raw", "PREROUTING"), ("mangle", "PREROUTING"))
FORWARDED: Hooks = (("mangle", "FORWARD"), ("filter", "FORWARD"))
LEAVING: Hooks = (("mangle", "POSTROUTING"), ("nat", "POSTROUTING"))
TAKEN: Hooks = (("mangle", "INPUT"), ("filter", "INPUT"), ("nat", "INPUT"))


class Host(msgspec.Struct, frozen=True):
    """The node: its addresses (or networks that are all its own, as 127.0.0.0/8), and its routes, the first that fits:
    network, interface, and the interface's address, which is what masquerading writes.
    """

    addresses: tuple[str, ...]
    routes: tuple[tuple[str, str, str], ...] = ()

    def owns(self, address: str) -> bool:
        """Is this an address of the node?"""
        return any(_within(address, own) for own in self.addresses)

    def way(self, address: str) -> tuple[str, str]:
        """Interface and its address by which packets to an address leave; empty when no route is known."""
        fitting = ((device, own) for network, device, own in self.routes if _within(address, network))
        return next(fitting, ("", ""))


class Fate(msgspec.Struct, frozen=True):
    """One thing that may become of the packet. to: `ip:port` where it goes when it has `passed`; source: the address
    that it then comes from, empty when nobody knows. rule: what dropped or rejected it, or could not be read.
    """

    kind: Literal["passed", "drop", "reject", "unknown"]
    to: str = ""
    source: str = ""
    rule: str = ""


class _Moving(msgspec.Struct, frozen=True):
    """A packet on its way; source: as it is to leave, which no rule of this node sees any more."""

    packet: Packet
    source: str


def fates(rules: Ruleset, packet: Packet, host: Host) -> frozenset[Fate]:
    """All that may become of the packet on this node. Its mark and `to_node` are as the kernel begins with."""
    own = host.owns(packet.destination)
    first = {_Moving(msgspec.structs.replace(packet, mark=UNMARKED, to_node=own), packet.source)}
    over: set[Fate] = set()
    routed = _pass(rules, MADE if packet.from_node else ARRIVED, first, host, over)
    for moving in routed:
        moves = {moving}
        for hooks in _rest(moving.packet):
            moves = _pass(rules, hooks, moves, host, over)
        over |= {Fate("passed", f"{one.packet.destination}:{one.packet.port}", one.source) for one in moves}
    return frozenset(over)


def _rest(packet: Packet) -> tuple[Hooks, ...]:
    if packet.from_node:
        return (LEAVING, RETURNED, TAKEN) if packet.to_node else (LEAVING,)
    return (TAKEN,) if packet.to_node else (FORWARDED, LEAVING)


def _pass(rules: Ruleset, hooks: Hooks, moves: set[_Moving], host: Host, over: set[Fate]) -> set[_Moving]:
    """Those that come out of these hooks; what ends in them is added to `over`."""
    for table, chain in hooks:
        after: set[_Moving] = set()
        for moving in moves:
            packet = _at(chain, moving.packet, host)
            ways = walk(rules, table, chain, packet)
            policy = rules.policies.get((table, chain), "ACCEPT")
            kind: Literal["accept", "drop"] = "drop" if policy == "DROP" else "accept"
            rest = {End(kind, rule=f"-P {chain} {policy}", mark=mark) for mark in ways.left}
            for end in ways.ends | rest:
                if end.kind == "drop" or end.kind == "reject" or end.kind == "unknown":  # noqa: PLR1714 - typed so
                    over.add(Fate(end.kind, rule=end.rule))
                else:
                    after.add(_after(moving, end, host))
        moves = after
    return moves


def _at(chain: str, packet: Packet, host: Host) -> Packet:
    """With the interfaces that a rule of this chain sees."""
    leaving = chain in {"OUTPUT", "FORWARD", "POSTROUTING"}
    return msgspec.structs.replace(
        packet,
        arrives="" if chain in {"OUTPUT", "POSTROUTING"} else packet.arrives or ("lo" if packet.from_node else ""),
        leaves=host.way(packet.destination)[0] if leaving and not packet.to_node else "lo" if leaving else "",
    )


def _after(moving: _Moving, end: End, host: Host) -> _Moving:
    packet = msgspec.structs.replace(moving.packet, mark=end.mark)
    if end.kind == "snat":
        own = packet.destination if packet.to_node else host.way(packet.destination)[1]
        return _Moving(packet, end.to or own)
    if end.kind == "dnat":
        address, _, port = end.to.partition(":")
        packet = msgspec.structs.replace(
            packet,
            destination=address or packet.destination,
            port=int(port or packet.port),
            to_node=host.owns(address or packet.destination),
            translated=True,
        )
    return _Moving(packet, moving.source)


def _within(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
