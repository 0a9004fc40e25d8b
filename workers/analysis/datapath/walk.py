"""Where does a packet come out of a chain?

The walk follows every way that the packet may take (a Service's endpoints are chosen by dice), and ends a way at the
first rule that it cannot read: what lies behind it is not known, and is never guessed.
"""

from typing import Literal

import msgspec

from workers.analysis.datapath.match import Match, Packet, meets
from workers.analysis.datapath.rules import Ruleset
from workers.analysis.datapath.target import effect
from workers.parsers.iptables import Unreadable

DEEPEST = 32  # chains within chains; kube-proxy's go five deep


class End(msgspec.Struct, frozen=True):
    """One way's end. to: `ip:port` of a `dnat`. rule: the rule that ended it, as the kernel has it."""

    kind: Literal["dnat", "accept", "drop", "reject", "unknown"]
    to: str = ""
    rule: str = ""


class Ways(msgspec.Struct, frozen=True):
    """All ends that are possible; `through`: the packet may leave the chain without any of them."""

    ends: frozenset[End] = frozenset()
    through: bool = True

    def of(self, kind: str) -> tuple[End, ...]:
        """The ends of one kind, in a fixed order."""
        return tuple(sorted((end for end in self.ends if end.kind == kind), key=lambda end: (end.to, end.rule)))


UNKNOWN = Ways(through=False)


def walk(rules: Ruleset, table: str, chain: str, packet: Packet, depth: int = 0) -> Ways:
    """The ways of a packet through a chain and those that it jumps to. A chain that is not there is passed."""
    ends: set[End] = set()
    through = False  # a RETURN may have been met, while other ways go on
    for line in rules.chain(table, chain):
        if isinstance(line, Unreadable):
            return Ways(frozenset(ends | {End("unknown", rule=str(line))}), through)
        answer = meets(line, packet)
        if answer is Match.NO:
            continue
        done = effect(line)
        if done.what == "pass":  # it changes nothing here, so it does not matter whether it matches
            continue
        if answer is Match.UNREADABLE or done.what == "unreadable" or depth > DEEPEST:
            return Ways(frozenset(ends | {End("unknown", rule=line.raw)}), through)
        goes_on = False
        if done.what == "jump" or done.what == "goto":  # noqa: PLR1714 - so that the types are seen
            # A jump to what is no chain is to a target that this model does not know.
            known = rules.has(table, done.to)
            ways = walk(rules, table, done.to, packet, depth + 1) if known else UNKNOWN
            ends |= ways.ends if known else {End("unknown", rule=line.raw)}
            goes_on = ways.through and done.what == "jump"
            through = through or (ways.through and done.what == "goto")
        elif done.what == "return":
            through = True
        else:
            ends.add(End(done.what, done.to, line.raw))
        if answer is Match.YES and not goes_on:
            return Ways(frozenset(ends), through)
    return Ways(frozenset(ends), through=True)
