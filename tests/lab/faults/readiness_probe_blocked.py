"""A host firewall drops the kubelets' readiness probes: healthy pods are taken out of the endpoints."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.lab.breaking import ruled, until_all, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

PORT = 8080


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Drop what a node itself sends to its pods, not what it forwards; inside the pods all is well."""
    pods = await lab.pods()
    async with AsyncExitStack() as stack:
        for node in lab.nodes.values():
            to_pods = ("-d", node.pod_cidr, "-p", "tcp", "--dport", str(PORT))
            await stack.enter_async_context(ruled(node, "OUTPUT", *to_pods, "-j", "DROP"))
        await until_all(lab, "refused")
        for pod in pods:
            await until_gets(lab, pod, pod.address, "200", port=PORT)
        yield


FAULT = LabFault(
    id="readiness-probe-blocked", command="svc checkout", broken=broken, beside=("svc-no-ready-endpoints",)
)
