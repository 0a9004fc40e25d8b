"""Does every node's kube-proxy do what the EndpointSlices ask? Stories of a small cluster."""

import msgspec
import pytest

from tests.world import (
    NOW,
    SILENT,
    World,
    a_slice,
    endpoint,
    node,
    pod,
    rules,
    running,
    service,
    stopped,
    target,
)
from workers.catalogue import load
from workers.checks.kube_proxy.stale_rules import CHECK, GRACE
from workers.core.declare import Said
from workers.core.evidence.kube_proxy import HttpAnswer, ProxyState
from workers.core.evidence.rules import Rules
from workers.core.evidence.service import ServicePort, SlicePort
from workers.core.finding import Finding, Offer
from workers.core.query import Missing

OLD = service(a_slice(endpoint("10.244.1.5", ready=False, serving=False)))
STALE = World(known={"node-2": OLD}, processes={"node-2": stopped()}, connects={("node-1", "172.30.0.12"): "refused"})
YOUNG = service(a_slice(endpoint("10.244.1.5"), endpoint("10.244.2.7", "node-2"), changed=NOW - 2))


async def said_of(world: World, port: str = "") -> Said:
    """What the check says; every finding has the params that its sentence needs."""
    said = await CHECK.analyse(target(port=port), world.look())
    for finding in said.findings:
        assert load().faults[finding.id].wrong(finding) == []
    return said


def sentence(finding: Finding) -> str:
    """In English."""
    return load().say(finding)


async def test_a_healthy_cluster_has_no_finding() -> None:
    """And that is said with numbers."""
    said = await said_of(World())
    assert said == Said(healthy=("node rules agree with the EndpointSlices on 2 of 2 nodes",))


async def test_a_stopped_kube_proxy_is_found_and_named() -> None:
    """Guide case 1: cause, bound, effect, reason, the probe that confirms, the table, the command, the remedy."""
    (finding,) = (await said_of(STALE)).findings
    assert sentence(finding) == (
        "kube-proxy on node-2 has not applied EndpointSlice changes since 13:00:00 UTC or earlier;"
        " NodePort 30080 is rejected there although 2 endpoints are ready; its process 1234 is stopped (state T)"
    )
    assert (finding.severity, finding.confidence, finding.scope) == ("critical", "confirmed", {"node": "node-2"})
    assert finding.remedies == (Offer("restart-kube-proxy", {"node": "node-2"}),)
    assert finding.command == (
        "kubectl -n kube-system exec kube-proxy-2abcd -- iptables-save | grep -E 'shop/checkout[: \"]'"
    )
    assert finding.compare is not None
    assert finding.compare.columns == ("", "node-1", "node-2")
    assert finding.compare.rows == (
        ("rule for NodePort 30080", "DNAT to 2 endpoints", "REJECT (no endpoints)"),
        ("endpoints in rules", "2 of 2", "0 of 2"),
        ("TCP connect", "open", "refused"),
        ("kube-proxy process", "pid 1234, running (S)", "pid 1234, stopped (T)"),
        ("healthz", "200", "does not answer"),
        ("last sync", "13:00:01 UTC", "not seen"),
    )
    assert "TCP from node-1 to 172.30.0.12:30080: refused" in finding.evidence


async def test_every_sentence_is_said_in_chinese_as_well() -> None:
    """The same finding in the other language."""
    (finding,) = (await said_of(STALE)).findings
    assert load().say(finding, "zh").startswith("node-2 上的 kube-proxy 最晚自 13:00:00 UTC 起未应用")


async def test_what_could_not_be_seen_is_unknown() -> None:
    """A silent agent is no healthy node, and takes nothing from the others."""
    said = await said_of(STALE.but(silent=("node-2",)))
    assert said.findings == ()
    assert [(one.what, one.reason) for one in said.unknown] == [
        ("the rules on node-2", "no answer from the agent (timeout): no answer within 5 s")
    ]
    assert said.healthy == ("node rules agree with the EndpointSlices on 1 of 1 nodes",)


async def test_a_node_that_is_not_ready_is_judged_too() -> None:
    """A node that is cut off becomes not ready, and still takes traffic; silent, it is unknown."""
    world = STALE.but(nodes=(node(1), node(2, ready=False)))
    assert [one.scope for one in (await said_of(world)).findings] == [{"node": "node-2"}]
    assert (await said_of(world.but(silent=("node-2",)))).unknown[0].what == "the rules on node-2 (not ready)"


async def test_windows_nodes_have_no_such_rules() -> None:
    """They are not asked."""
    assert (await said_of(World(nodes=(node(1), node(2, os="windows"))))).unknown == ()


async def test_a_young_difference_that_settles_is_nothing() -> None:
    """kube-proxy batches changes: what is gone at the second look proves nothing."""
    settled = World(service=YOUNG, at=NOW + GRACE)
    said = await said_of(World(service=YOUNG, known={"node-2": OLD}, then=settled))
    assert said == Said(healthy=("node rules agree with the EndpointSlices on 2 of 2 nodes",))


async def test_a_young_difference_that_stays_is_a_finding() -> None:
    """The second look comes when the grace time is over."""
    world = World(service=YOUNG, known={"node-2": OLD})
    look = world.look()
    said = await CHECK.analyse(target(), look)
    assert [one.scope["node"] for one in said.findings] == ["node-2"]
    assert sorted(one.nth for one in look.recorded() if type(one.query).__name__ in {"GetService", "RuleSlice"}) == [
        1,
        1,
        1,
        2,
        2,
    ]


async def test_a_service_that_moves_all_the_time_is_judged_by_what_lasts() -> None:
    """Slices with a fresh stamp at both looks hide no lag: the same endpoint is missing at both."""
    moved = service(a_slice(endpoint("10.244.1.5"), endpoint("10.244.2.8", "node-2"), changed=NOW + 9))
    lagging = World(service=moved, known={"node-1": moved, "node-2": OLD}, at=NOW + GRACE)
    (finding,) = (await said_of(World(service=YOUNG, known={"node-2": OLD}, then=lagging))).findings
    assert finding.params["lacking"] == 1


async def test_slices_without_a_stamp_are_given_the_whole_grace_time() -> None:
    """Then the finding says that the time is not known."""
    bare = service(a_slice(endpoint("10.244.1.5"), changed=0.0))
    (finding,) = (await said_of(World(service=bare, known={"node-2": OLD}))).findings
    assert "for an unknown time" in sentence(finding)


@pytest.mark.parametrize(
    "then",
    [
        World(service=YOUNG, silent=("node-2",)),
        World(service=Missing("forbidden", "no")),
        World(service=YOUNG, rules={"node-2": Rules("none", {}, 0, 0)}),
    ],
)
async def test_a_second_look_that_fails_is_unknown(then: World) -> None:
    """Neither a finding nor healthy."""
    said = await said_of(World(service=YOUNG, known={"node-2": OLD}, then=then))
    assert said.findings == ()
    assert "node-2" in said.unknown[0].what
    assert said.healthy == ("node rules agree with the EndpointSlices on 1 of 1 nodes",)


async def test_an_old_difference_beside_a_young_one_needs_no_second_look() -> None:
    """What is proven is said at once."""
    view = service(a_slice(endpoint("10.244.1.5")), external_ips=("203.0.113.7",))
    ports = (ServicePort("http", "TCP", 80, "", 30080), ServicePort("new", "TCP", 81))
    young = a_slice(endpoint("10.244.1.5"), name="new", changed=NOW - 1, ports=(SlicePort("new", "TCP", 8081),))
    view = msgspec.structs.replace(view, ports=ports, slices=(*view.slices, young))
    look = World(service=view, known={"node-2": OLD}).look()
    (finding,) = (await CHECK.analyse(target(), look)).findings
    assert {one.nth for one in look.recorded()} == {1}
    assert not any(":81" in line for line in finding.evidence)


async def test_dead_endpoints_are_told_from_missing_ones() -> None:
    """Both are lag; a part of a Service is a warning where an outage is critical."""
    dead = service(a_slice(endpoint("10.9.9.9")))
    (finding,) = (await said_of(World(known={"node-2": dead}))).findings
    assert "NodePort 30080 still leads there to 1 address that is no endpoint any more" in sentence(finding)
    assert finding.severity == "critical"
    part = service(a_slice(endpoint("10.244.1.5")))
    (finding,) = (await said_of(World(known={"node-2": part}))).findings
    assert "NodePort 30080 lacks 1 of its endpoints there (2 endpoints are ready)" in sentence(finding)
    assert (finding.severity, finding.confidence) == ("warning", "inferred")
    more = service(a_slice(endpoint("10.244.1.5"), endpoint("10.244.2.7"), endpoint("10.9.9.9")))
    (finding,) = (await said_of(World(known={"node-2": more}))).findings
    assert finding.severity == "warning"
    assert finding.compare is not None
    assert finding.compare.rows[1] == ("endpoints in rules", "2 of 2", "2 of 2, and 1 wrong")


async def test_rules_that_were_never_written() -> None:
    """A Service that is newer than the kube-proxy's last look."""
    world = World(rules={"node-2": rules(service(cluster_ips=()), node(2))})
    (finding,) = (await said_of(world)).findings
    assert "NodePort 30080 has no rule there although 2 endpoints are ready" in sentence(finding)


async def test_a_local_drop_that_is_wrong() -> None:
    """The node has a local endpoint now, and its rules say that it has none."""
    local = service(external_policy="Local")
    elsewhere = msgspec.structs.replace(local, slices=(a_slice(endpoint("10.244.1.5"), endpoint("10.244.1.6")),))
    (finding,) = (await said_of(World(service=local, known={"node-2": elsewhere}))).findings
    assert "NodePort 30080 is dropped there although 1 endpoint is ready" in sentence(finding)


async def test_a_local_drop_that_is_right() -> None:
    """A node without an endpoint of its own drops: no finding."""
    local = service(a_slice(endpoint("10.244.1.5")), external_policy="Local")
    assert (await said_of(World(service=local))).findings == ()


async def test_a_cluster_ip_is_tried_on_both_nodes() -> None:
    """Where there is no NodePort, the nodes themselves are the clients."""
    inside = service(type="ClusterIP", ports=(ServicePort("http", "TCP", 80),))
    known = {"node-2": msgspec.structs.replace(inside, slices=OLD.slices)}
    world = World(service=inside, known=known, connects={("node-2", "10.96.0.10"): "timeout"})
    (finding,) = (await said_of(world)).findings
    assert finding.confidence == "confirmed"
    assert "ClusterIP 10.96.0.10:80 is rejected there" in sentence(finding)
    assert "TCP from node-1 to 10.96.0.10:80: open" in finding.evidence


@pytest.mark.parametrize(
    "connects",
    [
        {},
        {("node-1", "172.30.0.12"): "refused", ("node-1", "172.30.0.11"): "refused"},
        {("node-1", "172.30.0.12"): SILENT},
        {("node-1", "172.30.0.12"): "error"},
    ],
)
async def test_without_a_telling_probe_it_is_inferred(connects: dict[tuple[str, str], object]) -> None:
    """Open there, closed on both sides, no answer, no result: the rules alone are the proof."""
    (finding,) = (await said_of(STALE.but(connects=connects))).findings
    assert finding.confidence == "inferred"


async def test_udp_is_not_tried() -> None:
    """A silent UDP port tells nothing."""
    ports = (ServicePort("dns", "UDP", 53, "53", 30053),)
    slices = (a_slice(endpoint("10.244.1.5"), ports=(SlicePort("dns", "UDP", 53),)),)
    udp = service(*slices, ports=ports)
    (finding,) = (await said_of(World(service=udp, known={"node-2": msgspec.structs.replace(udp, slices=())}))).findings
    assert finding.confidence == "inferred"
    assert finding.compare is not None
    assert finding.compare.rows[2] == ("TCP connect", "not tried", "not tried")


async def test_all_nodes_may_lag() -> None:
    """Each is a finding, and there is no good node to hold beside it."""
    said = await said_of(World(known={"node-1": OLD, "node-2": OLD}))
    assert [one.scope["node"] for one in said.findings] == ["node-1", "node-2"]
    assert said.healthy == ()
    assert said.findings[0].compare is not None
    assert said.findings[0].compare.columns == ("", "node-1")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (running(), "although 2 endpoints are ready"),
        (Missing("refused", "no"), "although 2 endpoints are ready"),
        (running(healthz=HttpAnswer("timeout")), "; it does not answer its health port"),
        (running(healthz=HttpAnswer("answered", 503)), "; its health port says that it is not healthy"),
        (running(state="D"), "; its process 1234 is blocked in the kernel (state D)"),
        (ProxyState(pid=0, healthz=HttpAnswer("refused")), "; no kube-proxy process runs there"),
    ],
)
async def test_the_reason_is_named_where_there_is_one(state: object, words: str) -> None:
    """Alive, unseen, hanging, unhealthy, blocked, gone."""
    (finding,) = (await said_of(STALE.but(processes={"node-2": state}))).findings
    assert sentence(finding).endswith(words)


async def test_a_kube_proxy_that_does_not_run_is_not_restarted() -> None:
    """Why it does not start is the question then."""
    (finding,) = (await said_of(STALE.but(processes={"node-2": ProxyState(pid=0)}))).findings
    assert finding.remedies == ()
    assert "find out why it does not start" in load().faults[finding.id].why_no_remedy(finding)


async def test_the_command_without_a_pod_is_for_the_node() -> None:
    """A host service, k3s, or no right to list pods."""
    for pods in ((pod("node-1"),), Missing("forbidden", "no")):
        (finding,) = (await said_of(STALE.but(pods=pods))).findings
        assert finding.command == "iptables-save | grep -E 'shop/checkout[: \"]'  # on node-2"


async def test_no_ready_endpoints_is_as_it_should_be() -> None:
    """Rules that reject a dead Service are right, and that is said honestly."""
    said = await said_of(World(service=OLD))
    assert said.healthy == (
        "node rules agree with the EndpointSlices on 2 of 2 nodes",
        "nothing behind checkout is ready to be led to; its rules reject on every node as they should",
    )


async def test_other_backends_rules_are_mentioned() -> None:
    """A stale copy in the other backend is another fault, and looks like this one."""
    both = msgspec.structs.replace(rules(OLD, node(2)), other_backend=True)
    (finding,) = (await said_of(STALE.but(rules={"node-2": both}))).findings
    assert "both iptables backends hold KUBE- chains on node-2" in finding.evidence


async def test_nodes_that_cannot_be_judged_are_unknown() -> None:
    """Another mode than iptables, and a rule that cannot be read."""
    said = await said_of(World(rules={"node-2": Rules("none", {}, 0, 0)}))
    assert said.unknown[0].what == "the rules on node-2"
    fresh = rules(service(), node(2))
    nat = (*fresh.tables["nat"], "-A KUBE-NODEPORTS -m mystery --x -j DROP")
    foreign = msgspec.structs.replace(fresh, tables={**fresh.tables, "nat": (nat[-1], *nat[:-1])})
    said = await said_of(World(rules={"node-2": foreign}))
    assert said.unknown[0].what == "NodePort 30080 on node-2"
    assert said.healthy == ("node rules agree with the EndpointSlices on 1 of 2 nodes",)


async def test_when_no_node_can_be_judged_nothing_is_healthy() -> None:
    """Silence proves nothing."""
    said = await said_of(World(silent=("node-1", "node-2")))
    assert said.healthy == ()
    assert len(said.unknown) == 2


async def test_some_services_need_no_rules() -> None:
    """Headless, ExternalName: healthy with the reason; another proxy's: unknown; IPv6: said as not judged."""
    assert (await said_of(World(service=service(cluster_ips=())))).healthy == (
        "shop/checkout is headless: no node needs rules for it",
    )
    assert "ExternalName" in (await said_of(World(service=service(type="ExternalName")))).healthy[0]
    assert "another proxy, cilium" in (await said_of(World(service=service(proxy="cilium")))).unknown[0].reason
    said = await said_of(World(service=service(cluster_ips=("10.96.0.10", "fd00::10"))))
    assert said.unknown[0].what == "the IPv6 rules of shop/checkout"
    assert said.healthy


@pytest.mark.parametrize(
    ("world", "what"),
    [
        (World(service=Missing("forbidden", "no right")), "Service shop/checkout"),
        (World(nodes=Missing("forbidden", "no right")), "the nodes"),
    ],
)
async def test_a_missing_right_is_unknown(world: World, what: str) -> None:
    """And named."""
    said = await said_of(world)
    assert [(one.what, one.reason) for one in said.unknown] == [(what, "the API server forbids it: no right")]


async def test_one_port_alone() -> None:
    """`checkout:http` asks for that port."""
    ports = (ServicePort("http", "TCP", 80, "", 30080), ServicePort("admin", "TCP", 81))
    slices = (a_slice(endpoint("10.244.1.5"), ports=(SlicePort("http", "TCP", 8080), SlicePort("admin", "TCP", 81))),)
    view = service(*slices, ports=ports)
    known = {"node-2": msgspec.structs.replace(view, slices=(a_slice(endpoint("10.244.1.5")),))}
    assert (await said_of(World(service=view, known=known), port="http")).findings == ()
    assert len((await said_of(World(service=view, known=known), port="admin")).findings) == 1
