"""How are steps carried out where evidence is recorded? The live writer's twin: the same answers, and no cluster.

What must outlive a process lies in a folder of files; creating one exclusively is as atomic as creating a ConfigMap.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from workers.apply import pods
from workers.apply.writer import Claim, Moved, Refused, Standing, Taken
from workers.collect.bundle import Bundle
from workers.core.evidence.kube_proxy import ProxyPod, ProxyPodList, ProxyPods
from workers.core.steps import Step

FLIPPED = "applied"  # when this file is there, the world is the one after the change


class RecordedWriter:
    """A Writer over two bundles: a step that is applied turns the world before into the world after."""

    def __init__(self, state: Path, *, before: Bundle, after: Bundle) -> None:
        self._state = state
        self._before = _pods(before)
        self._after = _pods(after)

    async def apply(self, step: Step, *, dry_run: bool) -> None:
        """See Writer."""
        if not self._is_there(step):
            raise Moved(f"there is no pod {step.namespace}/{step.name} with the uid {step.old}")
        if not dry_run:
            (self._state / FLIPPED).touch()

    async def standing(self, step: Step) -> Standing:
        """See Writer."""
        return "there" if self._is_there(step) else "gone"

    async def settled(self, step: Step) -> bool:
        """See Writer."""
        return any(pod.node == step.node and pod.uid != step.old and pod.ready for pod in self._now())

    def say(self, step: Step) -> str:
        """See Writer."""
        return pods.say(step)

    def how_to_see(self, step: Step) -> str:
        """See Writer."""
        return pods.how_to_see(step)

    async def create_claim(self, claim: Claim) -> Claim | None:
        """See Writer."""
        made = msgspec.structs.replace(claim, version="1")
        with self._locked():
            if self._path(claim.approval).exists():
                return None
            self._write(made)
        return made

    async def read_claim(self, approval: str) -> Claim | None:
        """See Writer."""
        with self._locked():
            return self._read(approval)

    async def write_claim(self, claim: Claim) -> Claim:
        """See Writer."""
        with self._locked():
            found = self._read(claim.approval)
            if found is None or found.version != claim.version:
                raise Taken(f"the claim of {claim.approval} was written by another worker")
            written = msgspec.structs.replace(claim, version=str(int(claim.version) + 1))
            self._write(written)
        return written

    def _read(self, approval: str) -> Claim | None:
        try:
            return msgspec.json.decode(self._path(approval).read_bytes(), type=Claim)
        except FileNotFoundError:
            return None

    def _write(self, claim: Claim) -> None:
        """Whole or not at all, since a process may be killed in between."""
        half = self._path(claim.approval).with_suffix(".new")
        half.write_bytes(msgspec.json.encode(claim))
        half.replace(self._path(claim.approval))

    def _path(self, approval: str) -> Path:
        if not approval.replace("-", "").isalnum():
            raise Refused(f"no claim can be called {approval!r}")
        return self._state / f"claim-{approval}.json"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self._state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _is_there(self, step: Step) -> bool:
        return any(pod.uid == step.old for pod in self._now())

    def _now(self) -> tuple[ProxyPod, ...]:
        return self._after if (self._state / FLIPPED).exists() else self._before


def _pods(bundle: Bundle) -> tuple[ProxyPod, ...]:
    """The pods that a step may touch, as the bundle has them."""
    seen = next((one.seen.value for one in bundle.seen if one.query == ProxyPods()), None)
    return seen.pods if isinstance(seen, ProxyPodList) else ()
