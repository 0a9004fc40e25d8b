"""Somebody has flushed node-2's rules (a restart of firewalld or iptables): kube-proxy's, and what the CNI had there.

kube-proxy looks every 30 s, counted from its start, whether its rules are gone, and then writes its own again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab import workloads
from tests.lab.clients import until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault
from tests.lab.processes import run

NODE = "node-2"
LOOKS_EVERY, LASTS = 30, 7  # seconds; the flush lasts at least this long


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Not just before kube-proxy looks: then it would be over at once."""
    node, kept = lab.nodes[NODE], lab.state / "flushed.rules"
    age = int(await run("ps", "-o", "etimes=", "-p", str(node.pids("kube-proxy")[0]))) % LOOKS_EVERY
    await asyncio.sleep(LOOKS_EVERY - age + 1 if age > LOOKS_EVERY - LASTS else 0)
    await node.exec("sh", "-c", f"iptables-save > {kept}")
    await node.exec("sh", "-c", "printf '*%s\\nCOMMIT\\n' nat filter mangle | iptables-restore")
    try:
        await until_gets(lab, lab.client, node.address, workloads.NODE_PORT, "refused")
        yield
    finally:
        await node.exec("iptables-restore", str(kept))
        await workloads.restart_kube_proxy(lab, NODE)


FAULT = LabFault(
    id="foreign-flush-ruleset",
    command="svc checkout",
    broken=broken,
    node=NODE,
    folded=("kube-proxy-stale-rules",),
    healed_by="restart-kube-proxy",
)
