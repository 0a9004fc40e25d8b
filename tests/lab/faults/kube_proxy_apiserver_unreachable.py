"""node-2 no longer reaches the API server: kube-proxy there runs on, with the rules it had."""

from tests.lab import workloads
from tests.lab.cluster import Lab
from tests.lab.control_plane import ADDRESS, PORT
from tests.lab.faults import LabFault

NODE = "node-2"
# Both ways: dropping only what leaves would let the open watch's next events in, and kube-proxy would apply them.
CUT = (
    ("OUTPUT", "-p", "tcp", "-d", ADDRESS, "--dport", str(PORT), "-j", "DROP"),
    ("INPUT", "-p", "tcp", "-s", ADDRESS, "--sport", str(PORT), "-j", "DROP"),
)


async def inject(lab: Lab) -> None:
    """Cut the way while there are no endpoints; then bring the pods up."""
    await workloads.scale(lab, 0)
    await lab.until_answers(dict.fromkeys(lab.nodes, "refused"))
    for rule in CUT:
        await lab.nodes[NODE].exec("iptables", "-w", "-I", *rule)
    await workloads.scale(lab, 2)
    await lab.until_answers({"node-1": "200", NODE: "refused"})


async def recover(lab: Lab) -> None:
    """Open the way again, and restart kube-proxy: its own next try may be a minute away."""
    for rule in CUT:
        await lab.nodes[NODE].exec("iptables", "-w", "-D", *rule)
    await workloads.restart_kube_proxy(lab, NODE)


FAULT = LabFault(
    id="kube-proxy-apiserver-unreachable",
    command="svc checkout",
    inject=inject,
    recover=recover,
    node=NODE,
    folded=("kube-proxy-stale-rules",),
    refuses="restart-kube-proxy",
)
