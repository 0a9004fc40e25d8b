"""What may netdiag's roles do on a real API server, by RBAC and by the admission policies of deploy/base?"""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.api import ApiError
from tests.lab.cluster import Lab
from workers.apply.live import LiveWriter
from workers.apply.writer import Claim, Moved, Refused
from workers.collect.cluster.api import Api
from workers.collect.cluster.kube_proxy import read_proxy_pods
from workers.core.evidence.kube_proxy import ProxyPods
from workers.core.steps import DeletePod

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

READS = [
    ("list", "", "services", ""),
    ("get", "", "services", "shop"),
    ("list", "", "nodes", ""),
    ("list", "", "pods", ""),
    ("list", "discovery.k8s.io", "endpointslices", ""),
    ("list", "apps", "daemonsets", ""),
    ("list", "", "configmaps", "netdiag"),
]
NOBODY = [
    ("get", "", "secrets", "netdiag"),
    ("list", "", "secrets", ""),
    ("list", "", "configmaps", "kube-system"),
    ("create", "", "pods", "kube-system"),
    ("create", "", "pods/exec", "kube-system"),
    ("create", "", "pods/eviction", "kube-system"),
    ("deletecollection", "", "pods", "kube-system"),
    ("delete", "", "pods", "shop"),
    ("patch", "apps", "daemonsets", "kube-system"),
    ("update", "", "nodes", ""),
    ("delete", "", "configmaps", "netdiag"),
    ("patch", "", "configmaps", "netdiag"),
    ("create", "", "serviceaccounts/token", "netdiag"),
    ("impersonate", "", "users", ""),
    ("create", "rbac.authorization.k8s.io", "rolebindings", "netdiag"),
]
CHANGE = [
    ("delete", "", "pods", "kube-system"),
    ("create", "", "configmaps", "netdiag"),
    ("update", "", "configmaps", "netdiag"),
]


@pytest.fixture
def look(lab: Lab) -> Iterator[Api]:
    """The API server as the look worker."""
    api = Api.connect(lab.kubeconfig("look"), role="look")
    yield api
    api.close()


@pytest.fixture
def change(lab: Lab) -> Iterator[Api]:
    """The API server as the change worker."""
    api = Api.connect(lab.kubeconfig("change"), role="change")
    yield api
    api.close()


async def may(lab: Lab, role: str, right: tuple[str, str, str, str]) -> bool:
    """What the real authorizer says of this account."""
    verb, group, resource, namespace = right
    name, _, sub = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": name, "subresource": sub, "namespace": namespace}
    spec = {"user": f"system:serviceaccount:netdiag:netdiag-{role}", "resourceAttributes": attributes}
    spec["groups"] = ["system:serviceaccounts", "system:serviceaccounts:netdiag", "system:authenticated"]
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = await lab.admin.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


@pytest.mark.parametrize("role", ["look", "change"])
async def test_the_matrix_of_rights(lab: Lab, role: str) -> None:
    """Both roles read what the checks need; the change role writes three things more; nobody reads a secret."""
    allowed = [*READS, *(CHANGE if role == "change" else [])]
    refused = [*NOBODY, *(CHANGE if role == "look" else [])]
    assert [right for right in allowed if not await may(lab, role, right)] == []
    assert [right for right in refused if await may(lab, role, right)] == []


async def proxy_step(api: Api, node: str = "node-1") -> DeletePod:
    """A step that deletes kube-proxy's pod on a node."""
    pods = (await read_proxy_pods(ProxyPods(), api)).pods
    pod = next(one for one in pods if one.node == node and not one.deleting)
    return DeletePod(pod.namespace, pod.name, old=pod.uid, owner=pod.owner, node=pod.node)


async def test_a_rehearsal_changes_nothing(lab: Lab, change: Api) -> None:
    """The server says yes, and the pod is as it was."""
    step = await proxy_step(change)
    writer = LiveWriter(change)
    await writer.apply(step, dry_run=True)
    assert await writer.standing(step) == "there"
    assert await proxy_step(change) == step


async def test_another_uid_is_another_pod(change: Api) -> None:
    """The precondition holds at the API server itself, in a rehearsal and in earnest."""
    step = await proxy_step(change)
    other = DeletePod(step.namespace, step.name, old="00000000-0000", owner=step.owner, node=step.node)
    for dry_run in (True, False):
        with pytest.raises(Moved, match="(?i)uid"):
            await LiveWriter(change).apply(other, dry_run=dry_run)
    assert await LiveWriter(change).standing(step) == "there"
    assert await LiveWriter(change).standing(other) == "gone"


async def test_no_other_pod_may_be_deleted(lab: Lab, change: Api) -> None:
    """RBAC would allow any pod of kube-system; the admission policy does not, even as a rehearsal."""
    for owners in ([], [await owner(lab, "DaemonSet", "node-local-dns")], [await owner(lab, "ReplicaSet", "kube-proxy")]):
        pod = await make_pod(lab, "bystander", owners)
        step = DeletePod("kube-system", "bystander", old=pod["metadata"]["uid"], owner="", node="")
        for dry_run in (True, False):
            with pytest.raises(Refused, match="only pods of the DaemonSet kube-proxy"):
                await LiveWriter(change).apply(step, dry_run=dry_run)
        await lab.admin.call("DELETE", "/api/v1/namespaces/kube-system/pods/bystander?gracePeriodSeconds=0")


async def owner(lab: Lab, kind: str, name: str) -> dict[str, Any]:
    """An owner reference that only looks like kube-proxy's DaemonSet."""
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "11111111-2222", "controller": True}


async def make_pod(lab: Lab, name: str, owners: list[dict[str, Any]]) -> dict[str, Any]:
    """A pod that no kubelet runs."""
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "ownerReferences": owners},
        "spec": {"containers": [{"name": "x", "image": "x"}], "schedulerName": "nobody"},
    }
    pod: dict[str, Any] = await lab.admin.call("POST", "/api/v1/namespaces/kube-system/pods", body)
    return pod


async def test_kube_proxys_pod_may_be_deleted_once(lab: Lab, change: Api) -> None:
    """It goes, its DaemonSet makes another, and a second call with the same uid cannot meet that one."""
    step, writer = await proxy_step(change), LiveWriter(change)
    await writer.apply(step, dry_run=False)
    assert await writer.standing(step) != "there"
    async with asyncio.timeout(60):
        while not await writer.settled(step):
            await asyncio.sleep(0.2)
    new = await proxy_step(change)
    assert new.old != step.old
    with pytest.raises(Moved):
        await writer.apply(step, dry_run=False)
    assert await proxy_step(change) == new
    await lab.healthy()


def claim(holder: str, approval: str = "a-race") -> Claim:
    """A fresh claim."""
    return Claim(approval=approval, digest="d", holder=holder, started=1.5, steps=("pending",))


async def test_of_many_racers_one_gets_the_claim(change: Api) -> None:
    """Creation is atomic; everybody else is told that it exists, and reads the winner's."""
    writer = LiveWriter(change)
    made = await asyncio.gather(*(writer.create_claim(claim(f"w{number}")) for number in range(10)))
    winners = [one for one in made if one]
    assert len(winners) == 1
    assert await writer.read_claim("a-race") == winners[0]


async def test_of_two_writers_the_later_is_told(change: Api) -> None:
    """Compare and swap by resourceVersion."""
    from workers.apply.writer import Taken

    writer = LiveWriter(change)
    first = await writer.create_claim(claim("w1", "a-swap"))
    assert first
    await writer.write_claim(first)
    with pytest.raises(Taken):
        await writer.write_claim(first)
    assert await writer.read_claim("a-none") is None


async def test_the_change_role_writes_claims_only(lab: Lab, change: Api) -> None:
    """It may not write an agent's card, with which it could make evidence up."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "netdiag-agent-node-9"}}
    from workers.collect.cluster.answers import Unanswered

    with pytest.raises(Unanswered, match="only ConfigMaps named netdiag-claim"):
        await change.call("POST", "/api/v1/namespaces/netdiag/configmaps", what="a card", body=body)


async def test_an_agent_writes_its_own_card_only(lab: Lab) -> None:
    """Its token is bound to a pod, and so to a node."""
    from workers.collect.cluster.answers import Unanswered

    agent = Api.connect(lab.kubeconfig("agent-node-1"), role="agent")
    path = "/api/v1/namespaces/netdiag/configmaps"
    own = await agent.call("GET", f"{path}/netdiag-agent-node-1", what="its card")
    assert b"node-1" in own
    for name in ("netdiag-agent-node-2", "netdiag-claim-a-1", "other"):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        with pytest.raises(Unanswered, match="only the ConfigMap netdiag-agent-NODE"):
            await agent.call("POST", path, what=name, body=body)
    agent.close()


async def test_a_missing_right_is_named(lab: Lab, look: Api) -> None:
    """The real server's sentence is understood."""
    from workers.collect.cluster.answers import Unanswered

    with pytest.raises(Unanswered, match="the look role may not list secrets in namespace shop") as refused:
        await look.call("GET", "/api/v1/namespaces/shop/secrets", what="secrets")
    assert refused.value.missing.reason == "forbidden"
    assert isinstance(ApiError(1, ""), Exception)
