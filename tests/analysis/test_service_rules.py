"""What a Service should have on a node, what the rules do, and the difference."""

from pathlib import Path

import msgspec
import pytest

from tests.world import CHANGED, a_slice, endpoint, node, rules, service
from workers.analysis.datapath.rules import Ruleset
from workers.analysis.service_rules import Compared, compare, has, lasting
from workers.analysis.wanted import not_judged, wanted
from workers.core.evidence.rules import Rules
from workers.core.evidence.service import Endpoint, ServicePort, ServiceView, SlicePort
from workers.parsers import iptables

RECORDED = Path(__file__).parent.parent / "data" / "kube_proxy"
N1 = node(1)


def ways(view: ServiceView, number: int = 1, port: str = "") -> dict[str, tuple[str, ...]]:
    """Each way into a Service, and its endpoints."""
    return {way.shown: way.endpoints for way in wanted(view, node(number), port=port)}


def test_ready_endpoints_are_wanted_behind_every_address() -> None:
    """ClusterIP, NodePort and external addresses lead to the same endpoints."""
    both = ("10.244.1.5:8080", "10.244.2.7:8080")
    assert ways(service(external_ips=("203.0.113.7", "2001:db8::7"))) == {
        "ClusterIP 10.96.0.10:80": both,
        "NodePort 30080": both,
        "external IP 203.0.113.7:80": both,
    }


def test_what_is_not_ready_is_not_wanted_while_something_is() -> None:
    """Terminating endpoints serve only where there is nothing better (topology.go)."""
    ready = endpoint("10.0.0.1")
    leaving = endpoint("10.0.0.2", ready=False, terminating=True)
    sick = endpoint("10.0.0.3", ready=False, serving=False)
    gone = endpoint("10.0.0.4", ready=False, serving=False, terminating=True)
    assert ways(service(a_slice(ready, leaving, sick, gone)))["NodePort 30080"] == ("10.0.0.1:8080",)
    assert ways(service(a_slice(leaving, sick, gone)))["NodePort 30080"] == ("10.0.0.2:8080",)
    assert ways(service(a_slice(sick, gone)))["NodePort 30080"] == ()


def test_local_policies_keep_traffic_on_the_node() -> None:
    """Each for its own side: NodePort and external IPs from outside, the ClusterIP from inside."""
    local = service(external_policy="Local")
    assert ways(local, 1)["NodePort 30080"] == ("10.244.1.5:8080",)
    assert ways(local, 3)["NodePort 30080"] == ()
    assert len(ways(local, 3)["ClusterIP 10.96.0.10:80"]) == 2
    inside = service(internal_policy="Local")
    assert ways(inside, 2)["ClusterIP 10.96.0.10:80"] == ("10.244.2.7:8080",)
    assert len(ways(inside, 2)["NodePort 30080"]) == 2


def test_some_services_need_no_rules() -> None:
    """Headless ones, ExternalNames, those of another proxy, and IPv6 alone."""
    for one in ({"cluster_ips": ()}, {"type": "ExternalName"}, {"proxy": "other"}, {"cluster_ips": ("fd00::1",)}):
        assert ways(service(**one)) == {}
    assert not_judged(service(cluster_ips=("10.96.0.10", "fd00::1"))) == ("fd00::1",)


def test_ports_are_matched_by_name_and_protocol() -> None:
    """A slice's port has the Service port's name; one port alone may be asked for, by name or number."""
    ports = (ServicePort("http", "TCP", 80, "8080", 30080), ServicePort("dns", "UDP", 53))
    slices = (
        a_slice(endpoint("10.0.0.1"), ports=(SlicePort("http", "TCP", 8080), SlicePort("dns", "UDP", 5353))),
        a_slice(endpoint("10.0.0.2"), ports=(SlicePort("dns", "TCP", 5353),), name="other"),
        a_slice(Endpoint(("fd00::1",)), name="six", address_type="IPv6"),
    )
    view = service(*slices, ports=ports)
    assert ways(view)["ClusterIP 10.96.0.10:53"] == ("10.0.0.1:5353",)
    assert list(ways(view, port="dns")) == ["ClusterIP 10.96.0.10:53"]
    assert list(ways(view, port="80")) == ["ClusterIP 10.96.0.10:80", "NodePort 30080"]
    assert ways(view, port="none") == {}


def test_a_node_without_an_address_has_no_node_port() -> None:
    """There is nothing that could be walked."""
    assert [way.door for way in wanted(service(), node(1, addresses=("fd00::b",)))] == ["cluster-ip"]


def diff(view: ServiceView, known: ServiceView, number: int = 1) -> Compared:
    """This node's rules are as of `known`, and the slices as of `view`."""
    on = node(number)
    return compare(view, wanted(view, on), rules(known, on))


def test_rules_of_the_same_service_agree() -> None:
    """For every policy, with endpoints and without, on nodes with and without local ones."""
    views = [
        service(),
        service(a_slice(endpoint("10.0.0.1", ready=False, serving=False))),
        service(external_policy="Local"),
        service(internal_policy="Local"),
        service(external_ips=("203.0.113.7",)),
        service(a_slice(endpoint("10.0.0.1", ready=False, terminating=True))),
    ]
    for view in views:
        for number in (1, 2, 3):
            compared = diff(view, view, number)
            assert not compared.behind
            assert not compared.unknown
            assert len(compared.led) == len(wanted(view, node(number)))


def test_rejected_though_ready() -> None:
    """Case 1: no nat chain, a REJECT, and endpoints that are ready."""
    old = service(a_slice(endpoint("10.244.1.5", ready=False, serving=False)))
    compared = diff(service(), old)
    assert [(one.way.shown, one.led.fate, one.outage) for one in compared.differences] == [
        ("ClusterIP 10.96.0.10:80", "reject", True),
        ("NodePort 30080", "reject", True),
    ]
    assert compared.differences[0].missing == ("10.244.1.5:8080", "10.244.2.7:8080")
    assert compared.differences[0].since == CHANGED
    assert "has no endpoints" in compared.differences[0].led.rule


def test_a_reject_beside_a_living_chain_means_nothing() -> None:
    """The destination is rewritten before the filter table sees it."""
    both = rules(service(), N1)
    reject = rules(service(a_slice()), N1).tables["filter"]
    mixed = msgspec.structs.replace(both, tables={**both.tables, "filter": reject})
    assert not compare(service(), wanted(service(), N1), mixed).behind


def test_dead_endpoints_and_missing_ones() -> None:
    """Partly right is told from wholly wrong."""
    view = service(a_slice(endpoint("10.0.0.2"), endpoint("10.0.0.3")))
    partial = diff(view, service(a_slice(endpoint("10.0.0.1"), endpoint("10.0.0.2")))).differences[0]
    assert (partial.missing, partial.dead, partial.outage) == (("10.0.0.3:8080",), ("10.0.0.1:8080",), False)
    dead = diff(view, service(a_slice(endpoint("10.0.0.1")))).differences[0]
    assert (dead.outage, dead.led.shown) == (True, "DNAT to 1 endpoint")


def test_dead_endpoints_of_a_service_without_any() -> None:
    """It should be rejected, and is led to an address that is nobody's."""
    compared = diff(service(a_slice()), service())
    assert {one.dead for one in compared.differences} == {("10.244.1.5:8080", "10.244.2.7:8080")}


def test_no_rule_at_all() -> None:
    """kube-proxy has never heard of this Service."""
    empty = rules(service(cluster_ips=()), N1)
    compared = compare(service(), wanted(service(), N1), empty)
    assert {one.led.fate for one in compared.differences} == {"none"}
    assert compared.differences[0].led.shown == "no rule"


def test_an_external_ip_without_a_rule_is_no_difference() -> None:
    """Clusters may switch externalIPs off; an address that is led wrongly still counts."""
    view = service(external_ips=("203.0.113.7",))
    compared = compare(view, wanted(view, N1), rules(service(), N1))
    assert not compared.behind
    assert {one.way.door for one in diff(view, msgspec.structs.replace(view, slices=(a_slice(),))).differences} == {
        "cluster-ip",
        "node-port",
        "external-ip",
    }


def test_topology_hints_allow_a_part() -> None:
    """A node of another zone may rightly have only its own zone's endpoints; none at all is still wrong."""
    near, far = endpoint("10.0.0.1", hints=("zone/a",)), endpoint("10.0.0.2", hints=("zone/b",))
    view = service(a_slice(near, far))
    assert not diff(view, service(a_slice(near))).behind
    assert diff(view, service(a_slice(endpoint("10.0.0.9")))).behind
    assert diff(view, service(a_slice())).behind


def test_local_policy_drops_rightly() -> None:
    """A node without an endpoint of its own drops, and that is no fault."""
    local = service(external_policy="Local")
    compared = diff(local, local, 3)
    led = {way.door: one for way, one in compared.led}
    assert (led["node-port"].fate, compared.behind) == ("drop", False)


def test_hostile_names_change_nothing() -> None:
    """A port's name may hold what looks like options; it is only ever a comment."""
    port = ServicePort('a" -j ACCEPT --comment "b', "TCP", 80, "8080", 30080)
    view = service(a_slice(endpoint("10.0.0.1"), ports=(SlicePort(port.name, "TCP", 8080),)), ports=(port,))
    quoted = msgspec.structs.replace(port, name=port.name.replace('"', '\\"'))
    written = service(a_slice(endpoint("10.0.0.1"), ports=(SlicePort(quoted.name, "TCP", 8080),)), ports=(quoted,))
    compared = compare(view, wanted(view, N1), rules(written, N1))
    assert not compared.behind
    assert not compared.unknown


@pytest.mark.parametrize(
    ("tables", "backend", "why"),
    [
        ({}, "none", "no iptables rules of kube-proxy"),
        ({"nat": (":OTHER - [0:0]",)}, "iptables-nft", "no chain KUBE-SERVICES"),
        ({"nat": ("rubbish",)}, "iptables-legacy", "cannot be read"),
    ],
)
def test_a_node_may_be_impossible_to_judge(tables: dict[str, tuple[str, ...]], backend: str, why: str) -> None:
    """Another mode, another writer, or rules that are not understood: said, never guessed."""
    compared = compare(service(), wanted(service(), N1), Rules(backend, tables, 0, 0))
    assert why in compared.blind
    assert not compared.behind


@pytest.mark.parametrize(("table", "chain"), [("nat", "KUBE-NODEPORTS"), ("filter", "KUBE-EXTERNAL-SERVICES")])
def test_a_rule_that_cannot_be_read_makes_that_way_unknown(table: str, chain: str) -> None:
    """It is neither right nor wrong, and the rule is named."""
    written = rules(service(a_slice()), N1)
    lines = [f"-A {chain} -m mystery --x 1 -j DROP", *written.tables[table]]
    foreign = msgspec.structs.replace(written, tables={**written.tables, table: tuple(lines)})
    compared = compare(service(a_slice()), wanted(service(a_slice()), N1), foreign)
    assert [way.door for way, _ in compared.unknown] == ["node-port"]
    assert "mystery" in compared.unknown[0][1]
    assert {led.shown for _, led in compared.led} == {"REJECT", "cannot be read"}


def test_what_the_filter_accepts_is_led_nowhere() -> None:
    """Without a nat chain the packet stays at the node, whatever some firewall accepts."""
    empty = rules(service(cluster_ips=()), N1)
    accepting = {**empty.tables, "filter": (":KUBE-SERVICES - [0:0]", "-A KUBE-SERVICES -j ACCEPT")}
    compared = compare(service(), wanted(service(), N1), msgspec.structs.replace(empty, tables=accepting))
    assert {led.fate for _, led in compared.led} == {"none"}


def test_where_a_way_leads_is_found_on_another_node() -> None:
    """A NodePort has another address there; a door that is not there leads nowhere known."""
    compared = diff(service(), service(), 2)
    here = wanted(service(), N1)
    assert compared.of(here[1]) == compared.led[1][1]
    assert compared.of(msgspec.structs.replace(here[1], port=1)) is None


def test_since_is_the_oldest_stamp_that_the_node_lacks() -> None:
    """A slice that the node has tells nothing; one without a stamp neither; what is gone is bounded by the newest."""
    here = a_slice(endpoint("10.0.0.1"), name="here", changed=100.0)
    view = service(
        here,
        a_slice(endpoint("10.0.0.2"), name="b", changed=300.0),
        a_slice(endpoint("10.0.0.3"), name="c", changed=200.0),
        a_slice(endpoint("10.0.0.4"), name="d", changed=0.0),
    )
    assert diff(view, service(here)).differences[0].since == 200.0
    gone = diff(service(here), service(a_slice(endpoint("10.0.0.1"), endpoint("10.0.0.9"))))
    assert gone.differences[0].since == 100.0
    assert diff(service(a_slice(changed=0.0)), service(here)).differences[0].since == 0.0


def test_the_second_look_keeps_what_lasts() -> None:
    """Only what is wrong at both looks has outlived the grace time."""
    first_view = service(a_slice(endpoint("10.0.0.1"), endpoint("10.0.0.2")))
    first = diff(first_view, service(a_slice()))
    second_view = service(a_slice(endpoint("10.0.0.2"), endpoint("10.0.0.3")))
    second = diff(second_view, service(a_slice()))
    assert {one.missing for one in lasting(first_view, first, second)} == {("10.0.0.2:8080",)}
    assert lasting(first_view, Compared(), second) == ()
    assert lasting(first_view, first, diff(service(a_slice(endpoint("10.0.0.9"))), service(a_slice()))) == ()


def recorded(name: str) -> Ruleset:
    """What kube-proxy v1.37.2 really wrote."""
    return Ruleset(iptables.tables((RECORDED / name).read_text()))


@pytest.mark.parametrize(
    ("door", "address", "port", "fate", "count"),
    [
        ("cluster-ip", "10.96.65.220", 80, "dnat", 2),
        ("node-port", "172.30.0.11", 30080, "dnat", 2),
        ("node-port", "172.30.0.11", 30081, "dnat", 1),
        ("cluster-ip", "10.96.110.74", 80, "dnat", 2),
        ("external-ip", "203.0.113.7", 80, "dnat", 1),
        ("external-ip", "203.0.113.9", 80, "dnat", 2),
        ("cluster-ip", "10.96.144.52", 80, "dnat", 1),
        ("cluster-ip", "10.96.99.99", 80, "none", 0),
    ],
)
def test_real_rules_lead_where_they_should(door: str, address: str, port: int, fate: str, count: int) -> None:
    """Recorded from a cluster: a plain Service, policies of Local, affinity, source ranges; and the same when empty."""
    way = msgspec.structs.replace(wanted(service(), N1)[0], door=door, address=address, port=port)
    led = has(recorded("v1.37.2-full-n1.nft"), way)
    assert (led.fate, len(led.destinations)) == (fate, count)
    before = has(recorded("v1.37.2-empty-n1.nft"), way)
    assert before.fate == ("none" if fate == "none" else "reject")


def test_a_load_balancers_address_is_tried_from_where_it_admits() -> None:
    """A chain of source ranges that names none, or that cannot be read, is tried from outside."""
    way = msgspec.structs.replace(wanted(service(), N1)[0], door="external-ip", address="203.0.113.9", port=80)
    lines = list(iptables.tables((RECORDED / "v1.37.2-full-n1.nft").read_text())["nat"])
    open_to_all = [line.replace("-s 10.0.0.0/8 ", "") for line in lines]
    assert has(Ruleset({"nat": open_to_all}), way).fate == "dnat"
    broken = ['-A KUBE-SERVICES -j "x', *lines]
    assert has(Ruleset({"nat": broken}), way).fate == "unknown"
    unread = [":KUBE-FW-JSLCNGWSGB5JPS5Q - [0:0]", '-A KUBE-FW-JSLCNGWSGB5JPS5Q -j "x', *lines]
    assert has(Ruleset({"nat": unread}), way).fate == "unknown"
