"""What becomes of a packet on a node: hooks in their order, marks and addresses on the way."""

import pytest

from workers.analysis.datapath.match import Packet
from workers.analysis.datapath.path import Fate, Host, fates
from workers.analysis.datapath.rules import Ruleset
from workers.parsers import iptables

HOST = Host(
    ("172.30.0.11", "10.244.1.1", "127.0.0.0/8"),
    (("10.244.1.0/24", "cni0", "10.244.1.1"), ("0.0.0.0/0", "eth0", "172.30.0.11")),
)
POD = Packet("10.244.1.2", "10.96.0.10", "tcp", 80, arrives="cni0")
CLIENT = Packet("172.30.0.100", "172.30.0.11", "tcp", 30080, arrives="eth0")
NODE = Packet("172.30.0.11", "10.96.0.10", "tcp", 80, from_node=True)
ITSELF = Packet("172.30.0.11", "172.30.0.11", "tcp", 30080, from_node=True)
# One Service, as kube-proxy writes it, with two endpoints; the first is the pod that asks.
SERVICE = """
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:SVC - [0:0]
:ONE - [0:0]
:TWO - [0:0]
:MASQ - [0:0]
:POST - [0:0]
-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j SVC
-A PREROUTING -p tcp -m tcp --dport 30080 -m addrtype --dst-type LOCAL -j MASQ
-A PREROUTING -p tcp -m tcp --dport 30080 -m addrtype --dst-type LOCAL -j SVC
-A OUTPUT -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j MASQ
-A OUTPUT -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j SVC
-A POSTROUTING -j POST
-A SVC -m statistic --mode random --probability 0.50000000000 -j ONE
-A SVC -j TWO
-A ONE -s 10.244.1.2/32 -j MASQ
-A ONE -p tcp -m tcp -j DNAT --to-destination 10.244.1.2:8080
-A TWO -p tcp -m tcp -j DNAT --to-destination 10.244.2.2:8080
-A MASQ -j MARK --set-xmark 0x4000/0x4000
-A POST -m mark ! --mark 0x4000/0x4000 -j RETURN
-A POST -j MARK --set-xmark 0x4000/0x0
-A POST -j MASQUERADE --random-fully
COMMIT
"""
HERE, THERE = "10.244.1.2:8080", "10.244.2.2:8080"
AS_EVER = {f"{HERE} from 10.244.1.1", f"{THERE} from 10.244.1.2"}
REWRITTEN = {f"{HERE} from 192.0.2.1", f"{THERE} from 192.0.2.1"}


def told(packet: Packet, *foreign: str) -> set[str]:
    """The fates of a packet, in words, where these rules (`table -A ...`) stand before kube-proxy's."""
    tables = {name: list(lines) for name, lines in iptables.tables(SERVICE).items()}
    for line in foreign:
        table, _, rule = line.partition(" ")
        lines = tables.setdefault(table, [])
        lines.insert(0, rule)
    return {_words(fate) for fate in fates(Ruleset(tables), packet, HOST)}


def _words(fate: Fate) -> str:
    return f"{fate.to} from {fate.source}" if fate.kind == "passed" else fate.kind


def test_a_pod_is_masqueraded_only_where_it_is_its_own_endpoint() -> None:
    """The mark that one endpoint's chain sets does not come to the other's."""
    assert told(POD) == AS_EVER


def test_masquerading_writes_the_address_of_the_interface() -> None:
    """Another one for each endpoint's way."""
    both = {f"{HERE} from 10.244.1.1", f"{THERE} from 172.30.0.11"}
    assert told(CLIENT) == both
    assert told(NODE) == both


@pytest.mark.parametrize(
    ("packet", "rule", "fate"),
    [
        (POD, "raw -A PREROUTING -p tcp -j DROP", {"drop"}),
        (NODE, "raw -A PREROUTING -p tcp -j DROP", {f"{HERE} from 10.244.1.1", f"{THERE} from 172.30.0.11"}),
        (ITSELF, "raw -A PREROUTING -p tcp -j DROP", {"drop"}),
        (ITSELF, "filter -A INPUT -i lo -p tcp -j REJECT", {"reject"}),
        (POD, "mangle -A FORWARD -p tcp -m tcp --dport 8080 -j DROP", {"drop"}),
        (POD, "filter -A FORWARD -p tcp -m tcp --dport 80 -j DROP", AS_EVER),
        (POD, "filter -A FORWARD -o eth0 -j REJECT", {f"{HERE} from 10.244.1.1", "reject"}),
        (POD, "filter :FORWARD DROP [0:0]", {"drop"}),
        (CLIENT, "filter -A FORWARD -m conntrack --ctstate DNAT -j DROP", {"drop"}),
        (CLIENT, "filter -A FORWARD -m mark --mark 0x4000/0x4000 -j DROP", {"drop"}),
        (CLIENT, "nat -A PREROUTING -p tcp -j ACCEPT", {"172.30.0.11:30080 from 172.30.0.100"}),
        (CLIENT, "nat -A PREROUTING -p tcp -j DNAT --to-destination :80", {"172.30.0.11:80 from 172.30.0.100"}),
        (CLIENT, "nat -A POSTROUTING -j SNAT --to-source 192.0.2.1", REWRITTEN),
        (CLIENT, "raw -A PREROUTING -p tcp -j CT --notrack", {"unknown"}),
        (POD, "mangle -A FORWARD -j CONNMARK --restore-mark", {"unknown"}),
        (NODE, "filter -A OUTPUT -m owner --uid-owner 0 -j DROP", {"unknown"}),
    ],
)  # fmt: skip
def test_foreign_rules_have_their_say_at_their_hook(packet: Packet, rule: str, fate: set[str]) -> None:
    """Each was seen to be so in the kernel (tests/lab/foreign.py)."""
    assert told(packet, rule) == fate


def test_what_ends_a_way_is_named() -> None:
    """The rule as the kernel has it; or the policy."""
    rules = Ruleset({"filter": [":FORWARD DROP [0:0]", "-A FORWARD -i eth0 -j REJECT"]})
    assert fates(rules, POD, HOST) == {Fate("drop", rule="-P FORWARD DROP")}
    beyond = Packet("172.30.0.100", "10.244.1.2", "tcp", 80, arrives="eth0")
    assert fates(rules, beyond, HOST) == {Fate("reject", rule="-A FORWARD -i eth0 -j REJECT")}


def test_where_no_route_is_known_the_new_source_is_not_known_either() -> None:
    """Nothing is guessed."""
    assert fates(Ruleset({"nat": ["-A POSTROUTING -j MASQUERADE"]}), POD, Host(("172.30.0.11",))) == {
        Fate("passed", "10.96.0.10:80")
    }
