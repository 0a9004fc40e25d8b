"""Where does a packet come out of a chain?

The walk follows every way that the packet may take (a Service's endpoints are chosen by dice), and ends a way at the
first rule that it cannot read: what lies behind it is not known, and is never guessed.
"""

from typing import Literal

import msgspec

from workers.analysis.datapath.marks import Mark
from workers.analysis.datapath.match import Match, Packet, meets
from workers.analysis.datapath.rules import Ruleset
from workers.analysis.datapath.target import Effect, effect
from workers.parsers.iptables import Rule, Unreadable

DEEPEST = 32  # chains within chains; kube-proxy's go five deep


class End(msgspec.Struct, frozen=True):
    """One way's end. to: `ip:port` of a `dnat`, the address of a `snat`. rule: the rule that ended it, as the kernel
    has it. mark: with which the packet goes on.
    """

    kind: Literal["dnat", "snat", "accept", "drop", "reject", "unknown"]
    to: str = ""
    rule: str = ""
    mark: Mark = Mark()


class Ways(msgspec.Struct, frozen=True):
    """All ends that are possible. left: the marks with which the packet may leave the chain without any of them."""

    ends: frozenset[End] = frozenset()
    left: frozenset[Mark] = frozenset()

    @property
    def through(self) -> bool:
        """The packet may leave the chain at its end."""
        return bool(self.left)

    def of(self, kind: str) -> tuple[End, ...]:
        """The ends of one kind, in a fixed order."""
        return tuple(sorted((end for end in self.ends if end.kind == kind), key=lambda end: (end.to, end.rule)))


class _Step(msgspec.Struct, frozen=True):
    """What one rule may do: ways that end, that leave the chain, and that come to its next rule."""

    ends: frozenset[End] = frozenset()
    left: frozenset[Mark] = frozenset()
    on: frozenset[Mark] = frozenset()


def walk(rules: Ruleset, table: str, chain: str, packet: Packet, depth: int = 0) -> Ways:
    """The ways of a packet through a chain and those that it jumps to. A chain that is not there is passed."""
    ends: set[End] = set()
    left: set[Mark] = set()
    here = frozenset({packet.mark})
    for line in rules.chain(table, chain):
        after: set[Mark] = set()
        for mark in here:
            step = _step(rules, table, line, msgspec.structs.replace(packet, mark=mark), depth)
            ends |= step.ends
            left |= step.left
            after |= step.on
        here = frozenset(after)
        if not here:
            break
    return Ways(frozenset(ends), frozenset(left) | here)


def _step(rules: Ruleset, table: str, line: Rule | Unreadable, packet: Packet, depth: int) -> _Step:
    mark = packet.mark
    if isinstance(line, Unreadable):
        return _Step(ends=frozenset({End("unknown", rule=str(line), mark=mark)}))
    answer = meets(line, packet)
    if answer is Match.NO:
        return _Step(on=frozenset({mark}))
    done = effect(line)
    if done.what == "pass":  # it changes nothing here, so it does not matter whether it matches
        return _Step(on=frozenset({mark}))
    if done.what == "mark":
        return _Step(on=_marked(mark, done, answer))
    if answer is Match.UNREADABLE or done.what == "unreadable" or depth > DEEPEST:
        return _Step(ends=frozenset({End("unknown", rule=line.raw, mark=mark)}))
    if done.what == "jump" or done.what == "goto":  # noqa: PLR1714 - so that the types are seen
        to_chain = rules.has(table, done.to)
        # A jump to what is no chain is to a target that this model does not know.
        unread = Ways(frozenset({End("unknown", rule=line.raw, mark=mark)}))
        ways = walk(rules, table, done.to, packet, depth + 1) if to_chain else unread
        step = _Step(ways.ends, left=ways.left) if done.what == "goto" else _Step(ways.ends, on=ways.left)
    elif done.what == "return":
        step = _Step(left=frozenset({mark}))
    else:
        step = _Step(ends=frozenset({End(done.what, done.to, line.raw, mark)}))
    passed = frozenset({mark}) if answer is Match.PERHAPS else frozenset()
    return _Step(step.ends, step.left, step.on | passed)


def _marked(mark: Mark, done: Effect, answer: Match) -> frozenset[Mark]:
    new = Mark(mark.value & ~done.mask, mark.known & ~done.mask) if done.unsure else mark.changed(done.value, done.mask)
    if answer is Match.YES:
        return frozenset({new})
    # By chance both are real; of a rule that is not understood only what does not depend on it is known.
    return frozenset({mark, new}) if answer is Match.PERHAPS else frozenset({mark.either(new)})
