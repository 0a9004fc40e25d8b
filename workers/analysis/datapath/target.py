"""What does a rule do with a packet that it matches?"""

from typing import Literal

import msgspec

from workers.parsers.iptables import Option, Rule

What = Literal["dnat", "accept", "drop", "reject", "return", "jump", "goto", "pass", "unreadable"]
ENDS: dict[str, What] = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}
# They mark, count or note, and the next rule comes.
PASSING = frozenset({"", "MARK", "CONNMARK", "LOG", "NFLOG", "TRACE", "CT", "NOTRACK", "CLASSIFY", "TCPMSS", "DSCP"})
# Targets of extensions that this model does not follow; any other word is a chain.
UNFOLLOWED = frozenset({"QUEUE", "NFQUEUE", "REDIRECT", "TPROXY", "NETMAP", "SNAT", "MASQUERADE", "TEE", "SYNPROXY"})


class Effect(msgspec.Struct, frozen=True):
    """What is done. `to`: a chain for `jump` and `goto`, `ip:port` for `dnat`."""

    what: What
    to: str = ""


def effect(rule: Rule) -> Effect:
    """The effect of a rule's target."""
    if rule.goto:
        return Effect("goto", rule.target)
    if rule.target in ENDS:
        return Effect(ENDS[rule.target])
    if rule.target in PASSING:
        return Effect("pass")
    if rule.target == "DNAT":
        return _dnat(rule.target_options)
    if rule.target in UNFOLLOWED:
        return Effect("unreadable")
    return Effect("jump", rule.target)


def _dnat(options: tuple[Option, ...]) -> Effect:
    destinations = [option.value for option in options if option.name == "--to-destination" and len(option.values) == 1]
    # A range of addresses or ports is nothing that kube-proxy writes.
    if len(destinations) != 1 or "-" in destinations[0]:
        return Effect("unreadable")
    return Effect("dnat", destinations[0])
