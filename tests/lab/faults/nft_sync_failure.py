"""kube-proxy on node-2 runs in nftables mode, and nft refuses all it writes: no Service works there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.lab.breaking import configured, until_only, wrapped
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

NODE = "node-2"


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """At its start it takes the iptables rules away, and cannot write its own."""
    fails = "cat >/dev/null; echo 'Error: Could not process rule: No such file or directory' >&2; exit 1"
    async with wrapped(lab.nodes[NODE], "nft", fails, when='"-f -"'), configured(lab, NODE, mode="nftables"):
        await until_only(lab, NODE, "refused")
        yield


FAULT = LabFault(
    id="nft-sync-failure", command="svc checkout", broken=broken, node=NODE, beside=("kube-proxy-wrong-mode",)
)
