"""What does a rule do with a packet that it matches?"""

from collections.abc import Callable
from typing import Literal

import msgspec

from workers.analysis.datapath import marks
from workers.analysis.datapath.marks import ALL
from workers.parsers.iptables import Option, Rule

What = Literal["dnat", "snat", "accept", "drop", "reject", "return", "jump", "goto", "mark", "pass", "unreadable"]
ENDS: dict[str, What] = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}
# They count or note, and the next rule comes.
PASSING = frozenset({"", "LOG", "NFLOG", "TRACE", "CLASSIFY", "TCPMSS", "DSCP"})
# Targets of extensions that this model does not follow; any other word is a chain.
UNFOLLOWED = frozenset({"QUEUE", "NFQUEUE", "REDIRECT", "TPROXY", "NETMAP", "TEE", "SYNPROXY", "NOTRACK"})
# As iptables-save prints it, and as kube-proxy writes it: the value, and the mask that it implies.
XMARK: dict[str, Callable[[int, int], tuple[int, int]]] = {
    "--set-xmark": lambda value, mask: (value, mask),
    "--set-mark": lambda value, mask: (value, value | mask),
    "--or-mark": lambda value, _mask: (value, value),
    "--xor-mark": lambda value, _mask: (value, 0),
    "--and-mark": lambda value, _mask: (0, ALL ^ value),
}


class Effect(msgspec.Struct, frozen=True):
    """What is done.

    to: a chain for `jump` and `goto`, `ip:port` for `dnat`, an address for `snat` (empty: the interface's own). value,
    mask: of `mark`, as `--set-xmark` has them; unsure: the bits of the mask become unknown.
    """

    what: What
    to: str = ""
    value: int = 0
    mask: int = 0
    unsure: bool = False


def effect(rule: Rule) -> Effect:
    """The effect of a rule's target."""
    if rule.goto:
        return Effect("goto", rule.target)
    if rule.target in ENDS:
        return Effect(ENDS[rule.target])
    if rule.target in PASSING:
        return Effect("pass")
    if rule.target in READERS:
        return READERS[rule.target](rule.target_options)
    return Effect("unreadable") if rule.target in UNFOLLOWED else Effect("jump", rule.target)


def _dnat(options: tuple[Option, ...]) -> Effect:
    destinations = [option.value for option in options if option.name == "--to-destination" and len(option.values) == 1]
    # A range of addresses or ports is nothing that kube-proxy writes.
    if len(destinations) != 1 or "-" in destinations[0]:
        return Effect("unreadable")
    return Effect("dnat", destinations[0])


def _mark(options: tuple[Option, ...]) -> Effect:
    if len(options) == 1 and options[0].name in XMARK and (read := marks.parse(options[0].value)):
        value, mask = XMARK[options[0].name](*read)
        return Effect("mark", value=value, mask=mask)
    return Effect("mark", mask=ALL, unsure=True)


def _connmark(options: tuple[Option, ...]) -> Effect:
    # Only --restore-mark writes the packet's own mark; the connection's is not followed.
    if any(option.name == "--restore-mark" for option in options):
        return Effect("mark", mask=ALL, unsure=True)
    return Effect("pass")


def _ct(options: tuple[Option, ...]) -> Effect:
    # What is not tracked is not translated; in a zone of its own it is another connection.
    touching = {"--notrack", "--zone", "--zone-orig", "--zone-reply"}
    return Effect("unreadable") if touching & {option.name for option in options} else Effect("pass")


def _snat(options: tuple[Option, ...]) -> Effect:
    sources = [option.value for option in options if option.name == "--to-source" and len(option.values) == 1]
    address = sources[0].partition(":")[0] if len(sources) == 1 else ""
    return Effect("snat", address) if address and "-" not in address else Effect("unreadable")


def _masquerade(_options: tuple[Option, ...]) -> Effect:
    return Effect("snat")


READERS: dict[str, Callable[[tuple[Option, ...]], Effect]] = {
    "DNAT": _dnat,
    "SNAT": _snat,
    "MASQUERADE": _masquerade,
    "MARK": _mark,
    "CONNMARK": _connmark,
    "CT": _ct,
}
