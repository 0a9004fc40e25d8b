"""Does this rule match this packet? Yes, no, perhaps (a die, or what nobody can know), or: it cannot be read.

Perhaps and unreadable are not the same: of a rule that is passed by one packet in three both ways are real; of a rule
that is not understood nothing is known, and a walk that comes to it ends there.
"""

import enum
import ipaddress
from collections.abc import Callable

import msgspec

from workers.analysis.datapath import marks
from workers.analysis.datapath.marks import Mark
from workers.parsers.iptables import Option, Rule


class Match(enum.Enum):
    """How a rule meets a packet."""

    YES = "yes"
    NO = "no"
    PERHAPS = "perhaps"
    UNREADABLE = "unreadable"


class Packet(msgspec.Struct, frozen=True):
    """The first packet of a connection (state NEW). protocol: `tcp`, `udp` or `sctp`.

    from_node, to_node: source, destination is an address of the node that it is on. mark: as far as it is known.
    arrives, leaves: the interface; empty where nobody knows, or there is none. translated: its destination has been
    rewritten on this node, which conntrack calls the state DNAT.
    """

    source: str
    destination: str
    protocol: str
    port: int
    from_node: bool = False
    to_node: bool = False
    mark: Mark = Mark()
    arrives: str = ""
    leaves: str = ""
    translated: bool = False


# Modules that only make options available, or only count or note.
SILENT = frozenset(
    {"comment", "tcp", "udp", "sctp", "addrtype", "conntrack", "state", "statistic", "recent", "multiport", "limit"}
    | {"hashlimit", "nfacct", "mark"}
)
# Options of a rule itself: they mean the same whichever module was named before them.
OWN = frozenset({"-s", "-d", "-p", "-i", "-o", "-f"})
# Options that decide nothing by themselves.
QUIET = frozenset(
    {"--comment", "--nfacct-name", "--mode", "--packet", "--seconds", "--reap", "--hitcount", "--name"}
    | {"--mask", "--rsource", "--rdest", "--rttl", "--limit-burst"}
    | {"--hashlimit-name", "--hashlimit-mode", "--hashlimit-burst"}
)
# What happened before, or chance, decides.
CHANCE = frozenset({"--probability", "--every", "--rcheck", "--update", "--remove", "--limit", "--hashlimit-upto"})


def meets(rule: Rule, packet: Packet) -> Match:
    """How a rule meets a packet. One option that surely says no decides, also where another cannot be read."""
    answers: set[Match] = set()
    module = ""
    for option in rule.matches:
        if option.name == "-m":
            module = option.value
        # `--mark` of connmark is not that of mark: what an unknown module's options say is not known.
        foreign = bool(module) and module not in SILENT and option.name not in OWN
        answers.add(Match.UNREADABLE if foreign else _option(option, packet))
    for answer in (Match.NO, Match.UNREADABLE, Match.PERHAPS):
        if answer in answers:
            return answer
    return Match.YES


def _option(option: Option, packet: Packet) -> Match:
    if option.name == "-m":
        return Match.YES
    if option.name in CHANCE:
        return Match.PERHAPS
    if option.name in QUIET:
        return Match.YES
    # `recent --set` writes and always matches.
    answer = True if option.name == "--set" else _fact(option, packet)
    if answer is None:
        return Match.UNREADABLE
    return Match.YES if answer is not option.negated else Match.NO


def _fact(option: Option, packet: Packet) -> bool | None:
    """Does what the option says, its negation aside, hold? None: it cannot be read."""
    if len(option.values) != 1:
        return None
    reader = FACTS.get(option.name)
    return reader(option.value, packet) if reader else None


def _in(address: str, network: str) -> bool | None:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return None


def _type(kind: str, *, local: bool) -> bool | None:
    return {"LOCAL": local, "UNICAST": not local}.get(kind)


def _ports(text: str, port: int) -> bool | None:
    try:
        spans = [(int(low or 0), int(high or low or 65535)) for low, _, high in map(_span, text.split(","))]
    except ValueError:
        return None
    return any(low <= port <= high for low, high in spans)


def _span(text: str) -> tuple[str, str, str]:
    low, colon, high = text.partition(":")
    return low, colon, high or ("65535" if colon else "")


def _states(text: str, *, translated: bool) -> bool:
    states = set(text.split(","))
    return "NEW" in states or (translated and "DNAT" in states)


def _marked(text: str, mark: Mark) -> bool | None:
    wanted = marks.parse(text)
    return mark.holds(*wanted) if wanted else None


def _interface(pattern: str, name: str) -> bool | None:
    if not name:
        return None
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


FACTS: dict[str, Callable[[str, Packet], bool | None]] = {
    "-s": lambda value, packet: _in(packet.source, value),
    "-d": lambda value, packet: _in(packet.destination, value),
    "-p": lambda value, packet: value in {packet.protocol, "all"},
    "--dport": lambda value, packet: _ports(value, packet.port),
    "--dports": lambda value, packet: _ports(value, packet.port),
    "-i": lambda value, packet: _interface(value, packet.arrives),
    "-o": lambda value, packet: _interface(value, packet.leaves),
    "--mark": lambda value, packet: _marked(value, packet.mark),
    "--ctstate": lambda value, packet: _states(value, translated=packet.translated),
    "--state": lambda value, _packet: "NEW" in value.split(","),
    "--src-type": lambda value, packet: _type(value, local=packet.from_node),
    "--dst-type": lambda value, packet: _type(value, local=packet.to_node),
}
