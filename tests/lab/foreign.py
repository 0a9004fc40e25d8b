"""Rules that are not kube-proxy's, as administrators and firewalls write them, put into a node and taken out again."""

import dataclasses
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.nodes import Node

UNDO = {"-I": "-D", "-A": "-D", "-N": "-X", "-P": "-P"}


@dataclasses.dataclass(frozen=True)
class Foreign:
    """Arguments of iptables, one call each. unread: the model is to say that it cannot read them. bites: the kernel
    treats some of the flows in another way because of them. chance: what was before decides, so that not all that is
    possible is seen. mute: who is rejected may hear nothing of it.
    """

    rules: tuple[str, ...]
    unread: bool = False
    bites: bool = True
    chance: bool = False
    mute: bool = False


def one(rule: str, *, unread: bool = False, bites: bool = True, chance: bool = False, mute: bool = False) -> Foreign:
    """A single rule."""
    return Foreign((rule,), unread, bites, chance, mute)


CASES = (
    one("-t filter -I FORWARD -d 10.244.0.0/16 -p tcp --dport 8080 -j DROP"),
    # The RST for a packet that came by a bridge is sent into the bridge itself (nf_send_reset), so that it is not
    # translated back: a pod that asked for a ClusterIP gets it from an endpoint that it does not know, and waits.
    one("-t filter -I FORWARD -p tcp -j REJECT --reject-with tcp-reset", mute=True),
    one("-t filter -I FORWARD -s 172.30.0.0/24 -j REJECT --reject-with icmp-host-prohibited"),
    one("-t filter -I FORWARD -i cni0 -j DROP"),
    one("-t filter -I FORWARD -o eth+ -j DROP"),
    one("-t filter -I FORWARD ! -i cni0 -p udp -j REJECT"),
    one("-t filter -I FORWARD -m comment --comment '-j ACCEPT ! -p udp' -p tcp -j DROP"),
    one("-t filter -P FORWARD DROP"),
    one("-t filter -I INPUT -p tcp --dport 30185 -j DROP"),
    one("-t filter -I OUTPUT -p tcp --dport 8080 -j REJECT"),
    one("-t raw -I PREROUTING -p tcp --dport 30180 -j DROP"),
    one("-t raw -I OUTPUT -p tcp -m multiport --dports 80,443 -j DROP"),
    one("-t raw -I PREROUTING -p tcp --dport 30180 -j CT --notrack", unread=True),
    one("-t mangle -I PREROUTING -p udp --dport 53 -j DROP"),
    one("-t mangle -I FORWARD -p tcp -j DROP"),
    one("-t mangle -I POSTROUTING -p tcp --dport 8080 -j DROP"),
    one("-t mangle -I PREROUTING -p tcp --dport 8080 -j MARK --or-mark 0x4000"),
    one("-t mangle -I FORWARD -p tcp -j MARK --set-mark 0"),
    one("-t mangle -I FORWARD -p tcp -j CONNMARK --restore-mark", unread=True),
    one("-t filter -I FORWARD -m mark --mark 0x4000/0x4000 -j DROP"),
    one("-t filter -I FORWARD -m mark ! --mark 0x4000/0x4000 -j DROP"),
    one("-t filter -I FORWARD -m connmark --mark 0x1 -j DROP", unread=True, bites=False),
    one("-t nat -I PREROUTING -p tcp --dport 30180 -j RETURN"),
    one("-t nat -I PREROUTING -p tcp -m multiport --dports 80,30180 -j ACCEPT"),
    one("-t nat -I PREROUTING -m addrtype --dst-type LOCAL -p udp -j ACCEPT"),
    one("-t nat -I PREROUTING -p tcp --dport 30180 -j REDIRECT --to-ports 30185", unread=True),
    one("-t nat -I OUTPUT -p tcp -d 10.96.0.0/12 --dport 80 -j DNAT --to-destination 172.30.0.12:9733"),
    one("-t nat -I PREROUTING -p tcp --dport 30180 -j DNAT --to-destination :30185"),
    one("-t nat -I POSTROUTING -p tcp --dport 8080 -j MASQUERADE"),
    one("-t nat -I POSTROUTING -p tcp --dport 8080 -j SNAT --to-source 172.30.0.11"),
    one("-t nat -I POSTROUTING -p tcp --dport 8080 -j ACCEPT"),
    one("-t filter -I FORWARD -m conntrack --ctstate DNAT -j DROP"),
    one("-t filter -I FORWARD -m conntrack ! --ctstate DNAT -j DROP"),
    one("-t filter -I FORWARD -m conntrack --ctstate ESTABLISHED -j DROP", bites=False),
    one("-t filter -I FORWARD -m conntrack --ctstate INVALID,UNTRACKED -j DROP", bites=False),
    one("-t filter -I FORWARD -m conntrack --ctorigdstport 80 -j DROP", unread=True),
    one("-t filter -I OUTPUT -p tcp --dport 8080 -m owner --uid-owner 0 -j DROP", unread=True),
    one("-t filter -I OUTPUT -m addrtype --src-type LOCAL -p tcp --dport 8080 -j DROP"),
    one("-t filter -I FORWARD -m addrtype --dst-type UNICAST -p tcp -j DROP"),
    one("-t raw -I PREROUTING -m addrtype --dst-type LOCAL --limit-iface-in -p tcp -j DROP", unread=True),
    one("-t filter -I FORWARD -m conntrack --ctstate NEW -m statistic --mode random --probability 0.5 -j DROP"),
    one("-t filter -I FORWARD -m statistic --mode nth --every 2 --packet 0 -j DROP", chance=True),
    one("-t filter -I FORWARD -m recent --name lab ! --set -j DROP", bites=False),
    one("-t filter -I FORWARD -m recent --name never --rcheck -j DROP", bites=False, chance=True),
    one("-t filter -I FORWARD -m limit --limit 1/hour --limit-burst 3 -j DROP", chance=True),
    one("-t raw -I PREROUTING -m iprange --src-range 172.30.0.90-172.30.0.110 -j DROP", unread=True),
    one("-t filter -I FORWARD -m physdev --physdev-is-bridged -j DROP", unread=True),
    one("-t filter -I FORWARD -p tcp --syn -j DROP", unread=True),
    one("-t filter -I FORWARD -p tcp --sport 1024:65535 -j DROP", unread=True),
    Foreign(
        (
            "-t filter -N LAB",
            "-t filter -A LAB -p udp -j RETURN",
            "-t filter -A LAB -s 172.30.0.100 -j RETURN",
            "-t filter -A LAB -j DROP",
            "-t filter -I FORWARD -j LAB",
        )
    ),
    # What a chain that was gone to returns from is the one that called: KUBE-POSTROUTING is never asked.
    Foreign(("-t nat -N LAB", "-t nat -A LAB -p udp -j RETURN", "-t nat -I POSTROUTING -g LAB")),
)


@asynccontextmanager
async def put(node: Node, foreign: Foreign) -> AsyncIterator[None]:
    """They are in the node's rules meanwhile."""
    done: list[str] = []
    try:
        for rule in foreign.rules:
            await node.exec("iptables", "-w", *shlex.split(rule))
            done.append(rule)
        yield
    finally:
        for rule in reversed(done):
            await node.exec("iptables", "-w", *_undo(shlex.split(rule)))


def _undo(words: list[str]) -> list[str]:
    verb = words[2]
    return [*words[:2], UNDO[verb], *(words[3:] if verb != "-P" else [words[3], "ACCEPT"])]
