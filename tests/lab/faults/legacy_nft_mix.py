"""node-2 has an old copy of kube-proxy's rules in the other iptables backend, and that copy wins."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import ran
from tests.lab.clients import until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault
from tests.lab.workloads import NODE_PORT

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """As after an upgrade of the machine: every endpoint of the copy is dead. Its empty table stays behind."""
    node = lab.nodes[NODE]
    other = f"xtables-{'legacy' if lab.cell.backend == 'nft' else 'nft'}-multi iptables"
    aged = f"grep -v nfacct | sed -E 's/(--to-destination )[0-9.]+/\\1{node.pod_prefix}.254/'"
    do = f"iptables-save -t nat | {aged} | {other}-restore"
    async with ran(node, ("sh", "-c", do), ("sh", "-c", f"{other} -t nat -F && {other} -t nat -X")):
        await until_gets(lab, lab.client, node.address, NODE_PORT, "timeout")
        yield


FAULT = LabFault(id="legacy-nft-mix", command="svc checkout", broken=broken, node=NODE)
