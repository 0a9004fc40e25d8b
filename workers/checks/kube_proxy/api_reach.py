"""Does every node reach the API server, so that its kube-proxy can follow changes?

The node's own kube-proxy is what matters: the server in its kubeconfig decides, also where another address is open.
Only where that server is not known, all addresses of the API servers must be closed before a node is called cut off.
"""

from workers.analysis.api_way import decisive, how, open_to
from workers.analysis.seeing import linux, named, unknown
from workers.core.declare import Check, Look, Said
from workers.core.evidence.kube_proxy import ProxyProcess
from workers.core.evidence.reach import ApiAnswer, ApiAnswers, ApiEndpoints, ApiReach
from workers.core.evidence.service import Nodes
from workers.core.finding import Comparison, Finding
from workers.core.target import Target


async def analyse(target: Target, look: Look) -> Said:
    """One finding for each node that does not reach it. The target does not matter: every Service needs this."""
    del target
    nodes, known = await look.both(Nodes(), ApiEndpoints())
    if nodes.value is None:
        return Said(unknown=(unknown("the nodes", nodes, Nodes()),))
    addresses = known.value.addresses if known.value else ()
    there = linux(nodes.value.nodes)
    queries = [ApiReach(node.name, addresses) for node in there]
    answers = await look.all(queries)
    processes = await look.all([ProxyProcess(node.name) for node in there])
    unseen = [
        unknown(f"whether {named(node)} reaches the API server", seen, query)
        for node, query, seen in zip(there, queries, answers, strict=True)
        if seen.value is None or not seen.value.answers
    ]
    reached: list[tuple[str, ApiAnswer]] = []
    cut: list[tuple[str, ApiAnswer, ApiAnswers]] = []
    for node, seen, process in zip(there, answers, processes, strict=True):
        if seen.value and seen.value.answers:
            deciding = decisive(seen.value, process.value, addresses)
            if open_to(deciding):
                reached.append((node.name, deciding))
            else:
                cut.append((node.name, deciding, seen.value))
    findings = tuple(_finding(node, answer, every, reached) for node, answer, every in cut)
    healthy = (f"{len(reached)} of {len(reached) + len(cut)} nodes reach the API server",) if reached else ()
    return Said(findings, healthy, tuple(unseen))


def _finding(node: str, answer: ApiAnswer, every: ApiAnswers, reached: list[tuple[str, ApiAnswer]]) -> Finding:
    columns, row, detail = ["", node], ["TCP connect", answer.tcp], ["TLS", _tls(answer)]
    if reached:
        columns.insert(1, reached[0][0])
        row.insert(1, reached[0][1].tcp)
        detail.insert(1, _tls(reached[0][1]))
    return Finding(
        id="kube-proxy-apiserver-unreachable",
        severity="critical",
        confidence="confirmed",
        params={
            "node": node,
            "server": f"https://{answer.address}",
            "how": how(answer),
            "since": 0.0,
            "since_when": "unknown",
        },
        scope={"node": node},
        evidence=tuple(_evidence(node, one) for one in every.answers),
        command=f"curl -sk --max-time 3 https://{answer.address}/livez  # on {node}",
        compare=Comparison(tuple(columns), (tuple(row), tuple(detail))),
        no_remedy="api-unreachable",
    )


def _tls(answer: ApiAnswer) -> str:
    if answer.tcp != "open":
        return "not tried"
    return "ok" if answer.tls else "fails"


def _evidence(node: str, answer: ApiAnswer) -> str:
    fate = f"TLS {_tls(answer)}" if answer.tcp == "open" else answer.tcp
    status = f", HTTP {answer.status}" if answer.status else ""
    detail = f" ({answer.detail})" if answer.detail else ""
    return f"{node} to {answer.address}: {fate}{status}{detail}"


CHECK = Check(
    id="kube-proxy.api-reach",
    title="Do all nodes reach the API server?",
    analyse=analyse,
    commands=("svc",),
    faults=("kube-proxy-apiserver-unreachable",),
    guide=("深入理解kube-proxy", "案例1"),
)
