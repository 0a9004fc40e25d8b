"""Does every node reach the API server?"""

from tests.world import API, SILENT, World, running, target
from workers.catalogue import load
from workers.checks.kube_proxy.api_reach import CHECK
from workers.core.declare import Said
from workers.core.evidence.reach import ApiAnswer, ApiAnswers
from workers.core.query import Missing

OTHER = "172.30.0.2:6443"


async def said_of(world: World) -> Said:
    """What the check says; every finding has the params that its sentence needs."""
    said = await CHECK.analyse(target(), world.look())
    for finding in said.findings:
        assert load().faults[finding.id].wrong(finding) == []
    return said


async def test_all_is_well() -> None:
    """401 proves the way as well as 200 does."""
    assert await said_of(World()) == Said(healthy=("2 of 2 nodes reach the API server",))


async def test_a_cut_node() -> None:
    """A probe proves it; nothing that netdiag could do would heal it."""
    said = await said_of(World(cut=("node-2",)))
    (finding,) = said.findings
    assert load().say(finding) == (
        "node-2 does not reach the API server at https://172.30.0.1:6443: no answer in time;"
        " kube-proxy there cannot follow any change"
    )
    assert (finding.severity, finding.confidence) == ("critical", "confirmed")
    assert (finding.remedies, finding.no_remedy) == ((), "api-unreachable")
    assert "A restart cannot help" in load().faults[finding.id].why_no_remedy(finding)
    assert finding.evidence == ("node-2 to 172.30.0.1:6443: timeout (no answer in time)",)
    assert finding.compare is not None
    assert finding.compare.columns == ("", "node-1", "node-2")
    assert finding.compare.rows == (("TCP connect", "open", "timeout"), ("TLS", "ok", "not tried"))
    assert said.healthy == ("1 of 2 nodes reach the API server",)
    assert load().say(finding, "zh").startswith("node-2 无法访问 API server")


async def test_every_node_may_be_cut() -> None:
    """Then there is no good one beside it."""
    said = await said_of(World(cut=("node-1", "node-2")))
    assert len(said.findings) == 2
    assert said.healthy == ()
    assert said.findings[0].compare is not None
    assert said.findings[0].compare.columns == ("", "node-1")


async def test_kube_proxys_own_server_decides() -> None:
    """Another address that is open does not help it; its own is enough."""
    answers = ApiAnswers((ApiAnswer(API, "open", detail="handshake failure"), ApiAnswer(OTHER, "open", tls=True)))
    world = World(addresses=(API, OTHER), api={"node-2": answers})
    (finding,) = (await said_of(world)).findings
    assert finding.params["how"] == "tls"
    assert finding.evidence == (
        f"node-2 to {API}: TLS fails (handshake failure)",
        f"node-2 to {OTHER}: TLS ok",
    )
    turned = ApiAnswers(tuple(reversed(answers.answers)))
    assert (await said_of(world.but(api={"node-2": turned}))).findings == ()


async def test_without_a_known_server_one_open_address_is_enough() -> None:
    """A kubeconfig that cannot be read must not make a finding."""
    answers = ApiAnswers((ApiAnswer(API, "refused"), ApiAnswer(OTHER, "open", tls=True, status=401)))
    world = World(addresses=(API, OTHER), api={"node-2": answers}, processes={"node-2": running(server="")})
    assert (await said_of(world)).findings == ()
    closed = ApiAnswers((ApiAnswer(API, "refused"), ApiAnswer(OTHER, "unreachable")))
    (finding,) = (await said_of(world.but(api={"node-2": closed}))).findings
    assert finding.params["how"] == "refused"


async def test_what_could_not_be_asked_is_unknown() -> None:
    """A silent agent, an agent without an answer, no right to list nodes."""
    said = await said_of(World(silent=("node-2",)))
    assert [one.what for one in said.unknown] == ["whether node-2 reaches the API server"]
    assert said.healthy == ("1 of 1 nodes reach the API server",)
    assert (await said_of(World(api={"node-2": ApiAnswers(())}))).unknown[0].reason == "the answer is empty"
    assert (await said_of(World(nodes=Missing("forbidden", "no right")))).unknown[0].what == "the nodes"


async def test_unknown_endpoints_do_no_harm() -> None:
    """kube-proxy's own server is asked in any case."""
    assert (await said_of(World(addresses=SILENT))).healthy == ("2 of 2 nodes reach the API server",)
