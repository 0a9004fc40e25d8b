"""A process holds the lock of iptables-legacy, which the lab's nodes share: no kube-proxy can write rules."""

import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.lab import workloads
from tests.lab.breaking import kube_proxies_renewed, scaled, until_all
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault
from tests.lab.processes import until

LOCK = Path("/run/xtables.lock")


@contextmanager
def _held() -> Iterator[None]:
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _complaints(lab: Lab) -> int:
    logs = lab.logs.glob("pod-kube-system-kube-proxy-*.log")
    return sum(log.read_text(errors="replace").count("holding the xtables lock") for log in logs)


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """Hold it while the pods come up."""
    async with kube_proxies_renewed(lab, *lab.nodes), scaled(lab, 0) as replicas:
        await until_all(lab, "refused")
        complaints = _complaints(lab)
        with _held():
            await workloads.scale(lab, replicas)

            async def complain() -> bool:
                return _complaints(lab) > complaints

            await until("a kube-proxy complains about the lock", complain, limit=20)
            await until_all(lab, "refused")
            yield


FAULT = LabFault(
    modes=("iptables-legacy",),  # iptables-nft takes no lock
    id="xtables-lock-contention",
    command="svc checkout",
    broken=broken,
    folded=("kube-proxy-stale-rules",),
)
