"""node-2 no longer reaches the API server: kube-proxy there runs on, with the rules it had."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab import workloads
from tests.lab.breaking import ruled
from tests.lab.cluster import Lab
from tests.lab.control_plane import ADDRESS, PORT
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Cut the way while there are no endpoints; then bring the pods up. Afterwards restart kube-proxy: its own next
    try may be a minute away.
    """
    node = lab.nodes[NODE]
    await workloads.scale(lab, 0)
    await lab.until_answers(dict.fromkeys(lab.nodes, "refused"))
    # Both ways: dropping only what leaves would let the open watch's next events in, and kube-proxy would apply them.
    async with (
        ruled(node, "OUTPUT", "-p", "tcp", "-d", ADDRESS, "--dport", str(PORT), "-j", "DROP"),
        ruled(node, "INPUT", "-p", "tcp", "-s", ADDRESS, "--sport", str(PORT), "-j", "DROP"),
    ):
        await workloads.scale(lab, 2)
        await lab.until_answers({**dict.fromkeys(lab.nodes, "200"), NODE: "refused"})
        yield
    await workloads.restart_kube_proxy(lab, NODE)


FAULT = LabFault(
    id="kube-proxy-apiserver-unreachable",
    command="svc checkout",
    broken=broken,
    node=NODE,
    folded=("kube-proxy-stale-rules",),
    refuses="restart-kube-proxy",
)
