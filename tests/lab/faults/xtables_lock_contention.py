"""A process on node-2 holds the lock of iptables-legacy there: kube-proxy waits for it, and writes no rules."""

import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.lab.breaking import missing_endpoints
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault
from tests.lab.nodes import xtables_lock
from tests.lab.processes import until

NODE = "node-2"


@asynccontextmanager
async def _held(lock: Path) -> AsyncIterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _complaints(lab: Lab) -> int:
    logs = lab.logs.glob("pod-kube-system-kube-proxy-*.log")
    return sum(log.read_text(errors="replace").count("holding the xtables lock") for log in logs)


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Hold it while the pods come up."""
    complaints = _complaints(lab)

    async def complain() -> bool:
        return _complaints(lab) > complaints

    async with missing_endpoints(lab, NODE, _held(xtables_lock(NODE))):
        await until("kube-proxy complains about the lock", complain, limit=20)
        yield


FAULT = LabFault(
    id="xtables-lock-contention",
    command="svc checkout",
    broken=broken,
    node=NODE,
    folded=("kube-proxy-stale-rules",),
    modes=("iptables-legacy",),  # iptables-nft takes no lock
)
