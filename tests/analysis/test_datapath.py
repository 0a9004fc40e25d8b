"""Where a packet goes: every kind of match and target, and what cannot be read."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from workers.analysis.datapath.marks import ALL, UNMARKED, Mark
from workers.analysis.datapath.match import Match, Packet, meets
from workers.analysis.datapath.rules import Ruleset
from workers.analysis.datapath.target import Effect, effect
from workers.analysis.datapath.walk import End, walk
from workers.parsers import iptables
from workers.parsers.iptables import Unreadable

CONFORMANCE = Path(os.environ.get("NETDIAG_CONFORMANCE", "../shared/conformance"))
PACKET = Packet("198.51.100.7", "10.96.0.10", "tcp", 80)
TO_NODE = Packet("172.30.0.12", "172.30.0.11", "udp", 53, from_node=True, to_node=True)
MARKED = Mark(0x4000, 0x4000)
TRANSLATED = Packet("10.244.1.2", "10.244.2.2", "tcp", 80, mark=MARKED, arrives="cni0", leaves="eth0", translated=True)
YES, NO, PERHAPS, UNREADABLE = Match.YES, Match.NO, Match.PERHAPS, Match.UNREADABLE


@pytest.mark.parametrize(
    ("options", "packet", "answer"),
    [
        ("", PACKET, YES),
        ("-s 198.51.100.0/24", PACKET, YES),
        ("! -s 198.51.100.0/24", PACKET, NO),
        ("-d 10.96.0.10/32 -p tcp -m tcp --dport 80", PACKET, YES),
        ("-d 10.96.0.10/32 -p tcp -m tcp --dport 81", PACKET, NO),
        ("-d 10.96.0.10", PACKET, YES),
        ("-d elsewhere", PACKET, UNREADABLE),
        ("-p all", PACKET, YES),
        ("-p udp", PACKET, NO),
        ("-m multiport --dports 22,79:81", PACKET, YES),
        ("-m multiport --dports 22,81:", PACKET, NO),
        ("--dport :80", PACKET, YES),
        ("--dport http", PACKET, UNREADABLE),
        ("-m conntrack --ctstate NEW", PACKET, YES),
        ("-m conntrack --ctstate RELATED,ESTABLISHED", PACKET, NO),
        ("-m state --state NEW,RELATED", PACKET, YES),
        ("-m addrtype --dst-type LOCAL", PACKET, NO),
        ("-m addrtype --dst-type UNICAST", PACKET, YES),
        ("-m addrtype --dst-type LOCAL -m addrtype --src-type LOCAL", TO_NODE, YES),
        ("-m addrtype --dst-type BROADCAST", PACKET, UNREADABLE),
        ("-m statistic --mode random --probability 0.5", PACKET, PERHAPS),
        ("-m statistic --mode nth --every 2 --packet 0", PACKET, PERHAPS),
        ("-m recent --rcheck --seconds 10 --reap --name X --mask 255.255.255.255 --rsource", PACKET, PERHAPS),
        ("-m recent --set --name X --rsource", PACKET, YES),
        ("-m nfacct --nfacct-name  x", PACKET, YES),
        ("-m conntrack --ctstate DNAT", PACKET, NO),
        ("-m conntrack --ctstate DNAT", TRANSLATED, YES),
        ("-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT", TRANSLATED, NO),
        ("-m addrtype --dst-type LOCAL --limit-iface-in", TO_NODE, UNREADABLE),
        ("-m recent ! --set --name X --rsource", PACKET, NO),
        ("-i cni0", PACKET, UNREADABLE),
        ("-i cni0", TRANSLATED, YES),
        ("! -i cni0", TRANSLATED, NO),
        ("-o eth+", TRANSLATED, YES),
        ("-o ppp+", TRANSLATED, NO),
        ("-m mark --mark 0x4000/0x4000", PACKET, UNREADABLE),
        ("-m mark --mark 0x4000/0x4000", TRANSLATED, YES),
        ("-m mark ! --mark 0x4000/0x4000", TRANSLATED, NO),
        ("-m mark --mark 0x1/0x1", TRANSLATED, UNREADABLE),
        ("-m mark --mark weird", TRANSLATED, UNREADABLE),
        ("-m connmark --mark 0x0/0x4000", TRANSLATED, UNREADABLE),
        ("-m mark --mark 0x4000/0x4000 -p udp", PACKET, NO),
        ("-m set --match-set x dst", PACKET, UNREADABLE),
        ("--syn", PACKET, UNREADABLE),
        ('-m comment --comment "-p udp"', PACKET, YES),
    ],
)  # fmt: skip
def test_a_rule_meets_a_packet(options: str, packet: Packet, answer: Match) -> None:
    """One option that surely says no decides; else what cannot be read; else chance."""
    assert meets(iptables.rule(f"-A X {options}"), packet) is answer


@pytest.mark.parametrize(
    ("target", "done"),
    [
        ("-j ACCEPT", Effect("accept")),
        ("-j REJECT --reject-with icmp-port-unreachable", Effect("reject")),
        ("-j DROP", Effect("drop")),
        ("-j RETURN", Effect("return")),
        ("-j MARK --set-xmark 0x4000/0x4000", Effect("mark", value=0x4000, mask=0x4000)),
        ("-j MARK --or-mark 0x4000", Effect("mark", value=0x4000, mask=0x4000)),
        ("-j MARK --and-mark 0xf", Effect("mark", mask=0xFFFFFFF0)),
        ("-j MARK --set-mark 0x1/0x3", Effect("mark", value=1, mask=3)),
        ("-j MARK --xor-mark 0x4000", Effect("mark", value=0x4000)),
        ("-j MARK --weird", Effect("mark", mask=ALL, unsure=True)),
        ("-j CONNMARK --restore-mark --nfmask 0xf", Effect("mark", mask=ALL, unsure=True)),
        ("-j CONNMARK --save-mark", Effect("pass")),
        ("-j CT --helper ftp", Effect("pass")),
        ("-j CT --notrack", Effect("unreadable")),
        ("-j NOTRACK", Effect("unreadable")),
        ("-j MASQUERADE --random-fully", Effect("snat")),
        ("-j SNAT --to-source 10.0.0.1:1024-2048", Effect("snat", "10.0.0.1")),
        ("-j SNAT --to-source 10.0.0.1-10.0.0.9", Effect("unreadable")),
        ("", Effect("pass")),
        ("-j KUBE-SVC-X", Effect("jump", "KUBE-SVC-X")),
        ("-g OTHER", Effect("goto", "OTHER")),
        ("-j DNAT --to-destination 10.0.0.1:80 --random", Effect("dnat", "10.0.0.1:80")),
        ("-j DNAT --to-destination 10.0.0.1-10.0.0.9:80", Effect("unreadable")),
        ("-j DNAT", Effect("unreadable")),
        ("-j TPROXY --on-port 1", Effect("unreadable")),
    ],
)
def test_a_target_does_something(target: str, done: Effect) -> None:
    """Verdicts, rewriting, jumps, targets that only note, and those that this model does not follow."""
    assert effect(iptables.rule(f"-A X {target}")) == done


def ends(*lines: str, packet: Packet = PACKET) -> tuple[set[str], bool]:
    """The ends of a walk through chain A, in words, and whether it may be left without any."""
    declared = [f":{line.split()[1]} - [0:0]" for line in lines]
    ways = walk(Ruleset({"nat": [*declared, *lines]}), "nat", "A", packet)
    return {f"{end.kind} {end.to}".strip() for end in ways.ends}, ways.through


def test_dice_lead_to_every_endpoint() -> None:
    """Each way that a packet may take is an end."""
    assert ends(
        "-A A -m statistic --mode random --probability 0.5 -j B",
        "-A A -j C",
        "-A B -j DNAT --to-destination 10.0.0.1:80",
        "-A C -j DNAT --to-destination 10.0.0.2:80",
    ) == ({"dnat 10.0.0.1:80", "dnat 10.0.0.2:80"}, False)


def test_a_chain_that_is_left_goes_on_where_it_was_called() -> None:
    """Nested chains return: kubeskoop lost its place here."""
    assert ends("-A A -j B", "-A A -j ACCEPT", "-A A -j DROP", "-A B -p udp -j DROP") == ({"accept"}, False)
    assert ends("-A A -j B", "-A A -j ACCEPT", "-A B -j RETURN", "-A B -j DROP") == ({"accept"}, False)


def test_a_goto_does_not_come_back() -> None:
    """What is left there leaves the calling chain as well."""
    assert ends("-A A -g B", "-A A -j DROP", "-A B -p udp -j DROP") == (set(), True)
    assert ends("-A A -g B", "-A A -j DROP", "-A B -j ACCEPT") == ({"accept"}, False)


def test_a_way_ends_at_what_cannot_be_read() -> None:
    """Nothing is guessed of what lies behind it; ways that ended before are kept."""
    half = "-m statistic --mode random --probability 0.5"
    assert ends(f"-A A {half} -j ACCEPT", "-A A -m mark --mark 0x1 -j DROP", "-A A -j REJECT") == (
        {"accept", "unknown"},
        False,
    )
    assert ends("-A A -j B", "-A A -j ACCEPT", "-A B -j DNAT", "-A B -j DROP") == ({"unknown"}, False)
    assert ends('-A A -j "B', "-A A -j ACCEPT") == ({"unknown"}, False)


def test_an_unreadable_match_of_a_rule_that_does_nothing_does_no_harm() -> None:
    """A LOG rule of some firewall must not make a node unknown."""
    assert ends("-A A -m weird --x -j LOG", "-A A -j ACCEPT") == ({"accept"}, False)


def left(*lines: str, mark: Mark = UNMARKED) -> frozenset[Mark]:
    """The marks with which a packet leaves chain A."""
    declared = [f":{line.split()[1]} - [0:0]" for line in lines]
    packet = Packet("198.51.100.7", "10.96.0.10", "tcp", 80, mark=mark)
    return walk(Ruleset({"nat": [*declared, *lines]}), "nat", "A", packet).left


def test_marks_are_kept_along_the_way() -> None:
    """Those of chains that were jumped to, of dice, and what is not known of them."""
    half = "-m statistic --mode random --probability 0.5"
    marked = Mark(0x4000, ALL)
    assert left("-A A -j B", "-A B -j MARK --set-xmark 0x4000/0x4000") == {marked}
    assert left(f"-A A {half} -j MARK --set-xmark 0x4000/0x4000") == {UNMARKED, marked}
    assert left("-A A -m weird --x -j MARK --set-xmark 0x4000/0x4000") == {Mark(0, ALL ^ 0x4000)}
    assert left("-A A -j CONNMARK --restore-mark") == {Mark()}
    assert left(
        "-A A -m mark ! --mark 0x4000/0x4000 -j RETURN", "-A A -j MARK --set-xmark 0x4000/0x0", mark=marked
    ) == {UNMARKED}


def test_unknown_targets_and_loops_are_unknown() -> None:
    """A jump to no chain is to a target that this model does not know; the kernel refuses loops, a forged text not."""
    assert ends("-A A -j WEIRD", "-A A -j ACCEPT") == ({"unknown"}, False)
    assert ends("-A A -j B", "-A B -j A") == ({"unknown"}, False)


def test_a_perhaps_return_leaves_and_goes_on() -> None:
    """Both ways are real."""
    half = "-m statistic --mode random --probability 0.5"
    assert ends(f"-A A {half} -j RETURN", "-A A -j ACCEPT") == ({"accept"}, True)


def test_no_chain_is_passed() -> None:
    """What is not there does nothing."""
    assert walk(Ruleset({}), "nat", "A", PACKET).through


def test_lines_that_are_no_rules_are_refused() -> None:
    """A set of rules is read whole or not at all."""
    with pytest.raises(Unreadable, match="no rule and no chain"):
        Ruleset({"nat": ["hello"]})
    with pytest.raises(Unreadable, match="declares no chain"):
        Ruleset({"nat": [":A"]})


def test_counters_before_a_rule_do_no_harm() -> None:
    """iptables-save -c writes them."""
    rules = Ruleset({"nat": [":A - [0:0]", "[1:60] -A A -j ACCEPT"]})
    assert walk(rules, "nat", "A", PACKET).of("accept") == (End("accept", rule="[1:60] -A A -j ACCEPT"),)
    assert rules.policies == {("nat", "A"): "-"}


def _flows() -> list[Any]:
    path = CONFORMANCE / "kubeproxy" / "iptables_flows.json"
    if not path.exists():
        reason = f"no conformance data at {path} (NETDIAG_CONFORMANCE)"
        return [pytest.param(None, "", marks=pytest.mark.skip(reason=reason))]
    cases = json.loads(path.read_text())["cases"]
    texts = ("iptables_save", "iptables_save_kernel_nft", "iptables_save_kernel_legacy")
    return [pytest.param(one, text, id=f"{one['id']}-{text}") for one in cases for text in texts if one.get(text)]


@pytest.mark.parametrize(("case", "text"), _flows())
def test_kube_proxys_own_flows_go_where_its_tests_say(case: dict[str, Any], text: str) -> None:
    """Packets of Kubernetes' own tests come to the same endpoints, as written and as two kernels print the rules."""
    rules, own = Ruleset(iptables.tables(case[text])), case["node"]["local_ips"]
    for flow in case["flows"]:
        source, destination = flow["sourceIP"], flow["destIP"]
        packet = Packet(
            source, destination, flow["protocol"].lower(), flow["destPort"], source in own, destination in own
        )
        ways = walk(rules, "nat", "OUTPUT" if packet.from_node else "PREROUTING", packet)
        expected = sorted(part.strip() for part in flow["expected"].split(",") if part)
        assert not ways.of("unknown"), flow["name"]
        if ways.ends:
            assert sorted(end.to for end in ways.of("dnat")) == expected, flow["name"]
            continue
        kinds = [
            end.kind.upper()
            for chain in ("KUBE-PROXY-FIREWALL", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES")
            for end in walk(rules, "filter", chain, packet).ends
        ]
        assert kinds[:1] == expected or expected in ([], ["ACCEPT"]), flow["name"]
