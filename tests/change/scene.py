"""One cluster with a sick kube-proxy, one order to restart it, and everything that can be made to go wrong."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.change.virtual import BEGUN, now
from workers import change
from workers.apply.recorded import RecordedWriter
from workers.apply.writer import Claim, Standing
from workers.collect.bundle import Bundle, BundleSource
from workers.collect.look import Looker, Recorded
from workers.core import sending, wire
from workers.core.declare import Look, Remedy, Said
from workers.core.evidence.kube_proxy import ProxyPod, ProxyPodList, ProxyPods
from workers.core.finding import Finding, Unknown
from workers.core.plan import Outcome, Plan, Refusal
from workers.core.query import Seen
from workers.core.steps import DeletePod, Step
from workers.core.target import Request, Target
from workers.core.tokens import Keyring, Signer

BOT = Signer(Ed25519PrivateKey.generate())
KEYS = Keyring([BOT.public])
TARGET = Target(cluster="lab", kind="svc", namespace="shop", name="checkout")
EXPIRES = BEGUN + 900
CHECK = "kube-proxy.stale-rules"
OLD = ProxyPod("kube-system", "kube-proxy-old", "uid-old", "node-2", owner="DaemonSet/kube-proxy")
NEW = msgspec.structs.replace(OLD, name="kube-proxy-new", uid="uid-new")
STEP = DeletePod(OLD.namespace, OLD.name, old=OLD.uid, owner=OLD.owner, node=OLD.node)
FINDING = Finding("kube-proxy-stale-rules", "critical", "confirmed", scope={"node": "node-2"})


class KilledError(BaseException):
    """The process is gone at this point: nothing catches it, as nothing catches SIGKILL."""


def bundle(*pods: ProxyPod) -> Bundle:
    """Evidence of these kube-proxy pods."""
    seen = Recorded(ProxyPods(), 1, Seen(value=ProxyPodList(pods), source="api"))
    return Bundle(Request("svc", TARGET), TARGET, BEGUN, "0", {}, (seen,))


async def plan(target: Target, args: dict[str, str], look: Look) -> Plan | Refusal:
    """Delete the one pod on the node, like the remedy does."""
    seen = await look(ProxyPods())
    if seen.value is None:
        return Refusal("not-seen", {"reason": str(seen.missing)})
    pod = next((one for one in seen.value.pods if one.node == args["node"]), None)
    if pod is None:
        return Refusal("no-pod", args)
    step = DeletePod(pod.namespace, pod.name, old=pod.uid, owner=pod.owner, node=pod.node)
    return Plan("restart-kube-proxy", target, args, (step,))


def verify(before: tuple[Finding, ...], after: Said) -> Outcome:
    """Healed when the check finds nothing any more."""
    if after.unknown:
        return Outcome("unknown", note=after.unknown[0].reason)
    assert before == (FINDING,)
    return Outcome("not-healed" if after.findings else "healed")


REMEDY = Remedy("restart-kube-proxy", {"en": "restart"}, plan, verify, CHECK, "low", FINDING.id, {})
PLAN = Plan("restart-kube-proxy", TARGET, {"node": "node-2"}, (STEP,))


class Catalogue:
    """The one remedy."""

    remedies = {REMEDY.name: REMEDY}  # noqa: RUF012 - nobody writes it

    def refusal_text(self, remedy: str, refusal: Refusal, lang: str = "en") -> str:
        """The reason's id does."""
        return f"{remedy} {refusal.reason} {lang}"


def order(grants: tuple[str, ...] | None = None, **changes: Any) -> wire.ChangeTask:
    """Alice's order that bob has granted, unless said otherwise."""
    task = wire.ChangeTask(
        approval="a-1",
        run="r-1",
        cluster="lab",
        plan=PLAN,
        digest=PLAN.digest,
        requester="alice",
        quorum=1,
        expires=EXPIRES,
        grants=(),
        findings=(FINDING,),
    )
    task = msgspec.structs.replace(task, **changes)
    return msgspec.structs.replace(task, grants=(granted(task),) if grants is None else grants)


def granted(task: wire.ChangeTask, person: str = "bob", signer: Signer = BOT) -> str:
    """A person's yes to this order."""
    return sending.grant(signer, task, person, now=BEGUN)


class Scene(RecordedWriter):
    """The cluster, as writer and as what is looked at. Every call to it is a point at which something can go wrong.

    trouble: called with the number of the point (from 0), its name, and whether the call has had its effect.
    """

    def __init__(self, state: Path, trouble: Callable[[int, str, bool], None] = lambda *_: None) -> None:
        super().__init__(state, before=bundle(OLD), after=bundle(NEW))
        self.before, self.after = bundle(OLD), bundle(NEW)
        self.state = state
        self.trouble = trouble
        self.points: list[str] = []
        self.effects = 0
        self.told: list[wire.Event] = []
        self.heals = True
        self.sees = True

    def _point(self, name: str) -> Callable[[], None]:
        number = len(self.points)
        self.points.append(name)
        self.trouble(number, name, False)
        return lambda: self.trouble(number, name, True)

    @property
    def flipped(self) -> bool:
        """Is it done?"""
        return (self.state / "applied").exists()

    async def apply(self, step: Step, *, dry_run: bool) -> None:
        """See Writer."""
        after = self._point("rehearse" if dry_run else "apply")
        await super().apply(step, dry_run=dry_run)
        self.effects += not dry_run
        after()

    async def standing(self, step: Step) -> Standing:
        """See Writer."""
        self._point("standing")
        return await super().standing(step)

    async def settled(self, step: Step) -> bool:
        """See Writer."""
        self._point("settled")
        return await super().settled(step)

    async def create_claim(self, claim: Claim) -> Claim | None:
        """See Writer."""
        after = self._point("create")
        made = await super().create_claim(claim)
        after()
        return made

    async def read_claim(self, approval: str) -> Claim | None:
        """See Writer."""
        self._point("read")
        return await super().read_claim(approval)

    async def write_claim(self, claim: Claim) -> Claim:
        """See Writer."""
        after = self._point(f"write-{'outcome' if claim.outcome else claim.steps[0]}")
        written = await super().write_claim(claim)
        after()
        return written

    async def emit(self, event: wire.Event) -> None:
        """Tell."""
        after = self._point(f"tell-{type(event).__name__}")
        self.told.append(event)
        after()

    def look(self) -> Looker:
        """A fresh look at what is there now."""
        return Looker(BundleSource(self.after if self.flipped else self.before), now=now, wait=False)

    async def recheck(self, check: str, target: Target, look: Look) -> Said:
        """The failed check: content as soon as the pod is another."""
        self._point("recheck")
        assert (check, target) == (CHECK, TARGET)
        await look(ProxyPods())
        if not self.sees:
            return Said(unknown=(Unknown("rules", "no agent"),))
        return Said() if self.flipped and self.heals else Said(findings=(FINDING,))

    async def deliver(self, task: wire.ChangeTask, holder: str = "w-1") -> wire.ChangeEnded | None:
        """One delivery of the order, as the Celery task makes it."""
        ended = await change.carry_out(
            task,
            holder=holder,
            fresh_look=self.look,
            writer=self,
            catalogue=Catalogue(),
            recheck=self.recheck,
            bot_keys=KEYS,
            now=now,
            sleep=asyncio.sleep,
            emit=self.emit,
        )
        if ended:
            await self.emit(ended)
        return ended


def at_point(number: int, error: BaseException, *, after: bool) -> Callable[[int, str, bool], None]:
    """Trouble at one point only, before or after the call has had its effect."""

    def trouble(point: int, _name: str, done: bool) -> None:
        if (point, done) == (number, after):
            raise error

    return trouble


def at_call(name: str, error: Exception, *, after: bool = False, times: int = 1) -> Callable[[int, str, bool], None]:
    """Trouble at the first `times` calls of this name."""
    left = [times]

    def trouble(_point: int, called: str, done: bool) -> None:
        if (called, done) == (name, after) and left[0]:
            left[0] -= 1
            raise error

    return trouble
