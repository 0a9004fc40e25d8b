"""How does a real cluster carry out steps and keep claims?"""

from typing import Any

import msgspec

from workers.apply import pods
from workers.apply.writer import Claim, Moved, Refused, Standing, StepState, Taken, Unsure
from workers.collect.cluster.answers import NOT_FOUND, Unanswered
from workers.collect.cluster.api import JSON, Api, name_or_missing
from workers.collect.cluster.objects import Meta, Object
from workers.core import wire
from workers.core.steps import Step
from workers.core.wire import NAMESPACE

PATH = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
LABELS = {"app.kubernetes.io/managed-by": "netdiag", "netdiag.io/claim": "true"}


class ClaimMap(Object, frozen=True):
    """A ConfigMap that holds a claim."""

    metadata: Meta = Meta()
    data: dict[str, str] | None = None


class LiveWriter:
    """A Writer over one API server. A claim is the ConfigMap `netdiag-claim-<approval>`: its creation is atomic."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def apply(self, step: Step, *, dry_run: bool) -> None:
        """See Writer."""
        await pods.delete(step, self._api, dry_run=dry_run)

    async def standing(self, step: Step) -> Standing:
        """See Writer."""
        return await pods.standing(step, self._api)

    async def settled(self, step: Step) -> bool:
        """See Writer."""
        return await pods.settled(step, self._api)

    def say(self, step: Step) -> str:
        """See Writer."""
        return pods.say(step)

    def how_to_see(self, step: Step) -> str:
        """See Writer."""
        return pods.how_to_see(step)

    async def create_claim(self, claim: Claim) -> Claim | None:
        """See Writer."""
        try:
            return _claim(await self._send("POST", PATH, claim))
        except Unanswered as error:
            if error.cause == "AlreadyExists":
                return None
            raise _meaning(error) from error

    async def read_claim(self, approval: str) -> Claim | None:
        """See Writer."""
        try:
            body = await self._api.call("GET", f"{PATH}/{claim_name(approval)}", what=f"claim {approval}", accept=JSON)
        except Unanswered as error:
            if error.status == NOT_FOUND:
                return None
            raise _meaning(error) from error
        return _claim(body)

    async def write_claim(self, claim: Claim) -> Claim:
        """See Writer."""
        try:
            return _claim(await self._send("PUT", f"{PATH}/{claim_name(claim.approval)}", claim))
        except Unanswered as error:
            # A claim that somebody deleted by hand is no longer ours either.
            if error.cause == "Conflict" or error.status == NOT_FOUND:
                raise Taken(f"the claim of {claim.approval} was written by another worker") from error
            raise _meaning(error) from error

    async def _send(self, method: str, path: str, claim: Claim) -> bytes:
        return await self._api.call(method, path, what=f"claim {claim.approval}", body=_config_map(claim))


def claim_name(approval: str) -> str:
    """The ConfigMap's name. Raises Refused for an approval id that cannot be part of one."""
    try:
        return wire.claim_name(name_or_missing("claim", approval.lower()))
    except Unanswered as error:
        raise Refused(str(error)) from error


def _config_map(claim: Claim) -> dict[str, Any]:
    version = {"resourceVersion": claim.version} if claim.version else {}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": claim_name(claim.approval), "namespace": NAMESPACE, "labels": LABELS, **version},
        "data": {
            "approval": claim.approval,
            "digest": claim.digest,
            "holder": claim.holder,
            "started": f"{claim.started:.3f}",
            "steps": ",".join(claim.steps),
            "beat": str(claim.beat),
            "outcome": claim.outcome,
        },
    }


def _claim(body: bytes) -> Claim:
    """A claim that cannot be read is no permission to begin: it counts as refused."""
    try:
        found = msgspec.json.decode(body, type=ClaimMap)
        data = found.data or {}
        steps = msgspec.convert(tuple(data["steps"].split(",")), tuple[StepState, ...])
        return Claim(
            approval=data["approval"],
            digest=data["digest"],
            holder=data["holder"],
            started=float(data["started"]),
            steps=steps,
            beat=int(data["beat"]),
            outcome=data["outcome"],
            version=found.metadata.resource_version or "",
        )
    except (KeyError, ValueError, msgspec.DecodeError) as error:
        raise Refused(f"the claim in namespace {NAMESPACE} cannot be read: {error}") from error


def _meaning(error: Unanswered) -> Refused | Unsure:
    """A claim is only made and written by us, so that `Moved` has no meaning here."""
    meant = pods.meaning(error)
    return Refused(str(meant)) if isinstance(meant, Moved) else meant
