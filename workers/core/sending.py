"""What must travel with a task, a grant and an event, so that the other side believes it?

Celery's own `auth` serializer signs the body and leaves the headers unsigned, so the task's name and id are bound to
the arguments by a token of ours, in a header of our own.
"""

from collections.abc import Mapping
from typing import Literal

from workers.core import wire
from workers.core.errors import NotTrusted
from workers.core.tokens import Keyring, Signer, digest
from workers.core.wire import ChangeTask

HEADER = "netdiag_token"
OF_CHANGES = (wire.Planned, wire.PlanRefused, wire.ChangeStarted, wire.ChangeApplied, wire.ChangeEnded)
DIAGNOSE, PLAN, CHANGE = "netdiag.diagnose", "netdiag.plan", "netdiag.change"


def args_digest(text: str) -> str:
    """The digest of a task's arguments: each task has one, the JSON text of a wire struct."""
    return digest({"args": [text]})


def headers(
    signer: Signer, name: str, task_id: str, cluster: str, text: str, *, now: float, ttl: float
) -> dict[str, str]:
    """The headers of one Celery message: the token over task name, task id, cluster and arguments.

    now: Unix seconds. ttl: seconds for which a worker may still begin.
    """
    claims = {"name": name, "id": task_id, "cluster": cluster, "digest": args_digest(text)}
    return {HEADER: signer.token("task", claims, now=now, ttl=ttl)}


def grant(signer: Signer, order: ChangeTask, person: str, *, now: float) -> str:
    """One person's signed yes to exactly this order (its `grants` are not read); it expires with the order."""
    claims = {**granted(order), "person": person}
    return signer.token("grant", claims, now=now, ttl=max(order.expires - now, 0))


def granted(order: ChangeTask) -> dict[str, str | float]:
    """The claims that every grant of this order must hold, beside its `person`."""
    return {
        "approval": order.approval,
        "action": order.plan.remedy,
        "cluster": order.cluster,
        "target": str(order.plan.target),
        "digest": order.digest,
        "requester": order.requester,
        "expires": order.expires,
    }


def entry(signer: Signer, cluster: str, event: wire.Event) -> dict[str, str]:
    """The fields of one entry on the stream of a cluster's workers: the event, and the worker's signature over it."""
    text = wire.encode(event)
    return {"event": text, "kid": signer.kid, "signature": signer.sign(_said(cluster, text))}


def speaker(event: wire.Event) -> Literal["look", "change"]:
    """The role whose key must have signed an event: a look worker has nothing to say about changes."""
    if isinstance(event, wire.Heartbeat):
        return event.role
    return "change" if isinstance(event, OF_CHANGES) else "look"


def believed(fields: Mapping[bytes, bytes], cluster: str, rings: Mapping[str, Keyring]) -> wire.Event:
    """The event of an entry, as Redis gives its fields. rings: the cluster's public keys by role.

    Raises msgspec.ValidationError when it cannot be read, NotTrusted when no worker of that cluster and role said it.
    """
    text = fields.get(b"event", b"").decode()
    event = wire.decode_event(text)
    if isinstance(event, wire.Heartbeat) and event.cluster != cluster:
        raise NotTrusted(f"it speaks of the cluster {event.cluster}")
    signature, kid = (fields.get(name, b"").decode() for name in (b"signature", b"kid"))
    rings[speaker(event)].check(_said(cluster, text), signature, kid)
    return event


def _said(cluster: str, text: str) -> bytes:
    """What is signed: an event of one cluster is none of another, and no other thing that a worker signs."""
    return f"netdiag-event\n{cluster}\n{text}".encode()
