"""What must travel with a task and in a grant, so that a worker believes them? The bot's half of both.

Celery's own `auth` serializer signs the body and leaves the headers unsigned, so the task's name and id are bound to
the arguments by a token of ours, in a header of our own.
"""

from workers.core.tokens import Signer, digest
from workers.core.wire import ChangeTask

HEADER = "netdiag_token"
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
