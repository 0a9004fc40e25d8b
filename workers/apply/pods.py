"""Steps on pods: how is a pod deleted exactly once, and how is it seen that its controller has answered?"""

from workers.apply.writer import Moved, Refused, Standing, Unsure
from workers.collect.cluster.answers import NOT_FOUND, Unanswered
from workers.collect.cluster.api import Api, name_or_missing
from workers.collect.cluster.kube_proxy import Pod
from workers.collect.cluster.objects import holds
from workers.core.steps import DeletePod

CONFLICT = 409
SAID_NO = frozenset({400, 401, 403, 405, 422})  # the server has read the request and did nothing


async def delete(step: DeletePod, api: Api, *, dry_run: bool) -> None:
    """Delete that pod and no other: the uid is a precondition, so a second call cannot meet the successor."""
    body = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": step.old},
        **({"dryRun": ["All"]} if dry_run else {}),
    }
    # The server reads the body; the query says the same to whoever reads its audit log.
    query = {"dryRun": "All"} if dry_run else None
    try:
        await api.call("DELETE", _path(step), what=_what(step), query=query, body=body)
    except Unanswered as error:
        raise meaning(error) from error


def meaning(error: Unanswered) -> Refused | Moved | Unsure:
    """What a change that was not answered with success means for what was to be changed."""
    if error.status in {NOT_FOUND, CONFLICT}:
        return Moved(str(error))
    return Refused(str(error)) if error.status in SAID_NO or error.missing.reason == "not-found" else Unsure(str(error))


async def standing(step: DeletePod, api: Api) -> Standing:
    """Gone is also a pod of the same name with another uid; leaving is one that was deleted and still shuts down."""
    try:
        pod = await api.get(_path(step), Pod, what=_what(step))
    except Unanswered as error:
        if error.status == NOT_FOUND:
            return "gone"
        raise blind(error) from error
    if pod.metadata.uid != step.old:
        return "gone"
    return "leaving" if pod.metadata.deletion_timestamp else "there"


async def settled(step: DeletePod, api: Api) -> bool:
    """Does a pod of the same controller run ready on the same node, under another uid?"""
    try:
        pods = await api.every(
            f"/api/v1/namespaces/{name_or_missing('namespace', step.namespace)}/pods",
            Pod,
            what=f"the pods on {step.node}",
            select={"fieldSelector": f"spec.nodeName={name_or_missing('node', step.node)}"},
        )
    except Unanswered as error:
        raise blind(error) from error
    return any(_succeeds(pod, step) for pod in pods)


def blind(error: Unanswered) -> Refused | Unsure:
    """What a look that was not answered means: forbidden stays forbidden, the rest may be answered later."""
    return Refused(str(error)) if error.status in SAID_NO else Unsure(str(error))


def say(step: DeletePod) -> str:
    """The step in words, after it was done."""
    return f"deleted pod {step.name} (uid {step.old}) in {step.namespace} on {step.node}"


def how_to_see(step: DeletePod) -> str:
    """Prints the uid of the pod that has this name now, if any."""
    return f"kubectl -n {step.namespace} get pod {step.name} -o jsonpath={{.metadata.uid}}"


def _succeeds(pod: Pod, step: DeletePod) -> bool:
    meta = pod.metadata
    alive = not meta.deletion_timestamp and meta.uid != step.old
    return alive and meta.owner == step.owner and holds(pod.status.conditions if pod.status else None, "Ready")


def _path(step: DeletePod) -> str:
    namespace, name = name_or_missing("namespace", step.namespace), name_or_missing("pod", step.name)
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def _what(step: DeletePod) -> str:
    return f"pod {step.namespace}/{step.name}"
