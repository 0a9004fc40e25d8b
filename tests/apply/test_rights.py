"""What may netdiag's roles do on a real API server, by RBAC and by the admission policies of deploy/base?"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.lab.api import MERGE, ApiError
from tests.lab.cluster import Lab
from tests.lab.credentials import write_kubeconfig
from tests.lab.processes import until
from workers.apply.claims import Held
from workers.apply.live import LiveWriter
from workers.apply.writer import Claim, Moved, Refused, Taken
from workers.collect.cluster.answers import Unanswered
from workers.collect.cluster.api import Api
from workers.collect.cluster.kube_proxy import read_proxy_pods
from workers.collect.cluster.reach import read_api_endpoints
from workers.collect.cluster.service import find_services, read_nodes, read_service
from workers.collect.live import read_cards
from workers.core.evidence.kube_proxy import ProxyPods
from workers.core.evidence.reach import ApiEndpoints
from workers.core.evidence.service import FindServices, GetService, Nodes
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


async def test_a_rehearsal_changes_nothing(change: Api) -> None:
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
        with pytest.raises(Moved, match="UID"):
            await LiveWriter(change).apply(other, dry_run=dry_run)
    assert await LiveWriter(change).standing(step) == "there"
    assert await LiveWriter(change).standing(other) == "gone"


STRANGERS = [
    [],
    [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "node-local-dns", "uid": "1", "controller": True}],
    [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "kube-proxy", "uid": "1", "controller": True}],
    [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "kube-proxy", "uid": "1"}],
]


@pytest.mark.parametrize(
    "owners", STRANGERS, ids=["nobody's", "another DaemonSet's", "a ReplicaSet's", "no controller"]
)
async def test_no_other_pod_may_be_deleted(lab: Lab, change: Api, owners: list[dict[str, Any]]) -> None:
    """RBAC would allow any pod of kube-system; the admission policy does not, even as a rehearsal."""
    pod = await make_pod(lab, owners)
    step = DeletePod("kube-system", "bystander", old=pod["metadata"]["uid"], owner="", node="")
    for dry_run in (True, False):
        with pytest.raises(Refused, match="only pods of the DaemonSet kube-proxy"):
            await LiveWriter(change).apply(step, dry_run=dry_run)
    await remove_pod(lab)


PODS = "/api/v1/namespaces/kube-system/pods"


async def make_pod(lab: Lab, owners: list[dict[str, Any]]) -> dict[str, Any]:
    """A pod that no kubelet runs. Its finalizer keeps the garbage collector from taking it: its owners do not exist."""
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bystander", "ownerReferences": owners, "finalizers": ["netdiag.io/test"]},
        "spec": {"containers": [{"name": "x", "image": "x"}], "schedulerName": "nobody"},
    }
    pod: dict[str, Any] = await lab.admin.call("POST", PODS, body)
    return pod


async def remove_pod(lab: Lab) -> None:
    """Take the finalizer away and wait until the pod is gone."""
    await lab.admin.call("PATCH", f"{PODS}/bystander", {"metadata": {"finalizers": None}}, kind=MERGE)
    for _ in range(50):
        try:
            await lab.admin.call("DELETE", f"{PODS}/bystander?gracePeriodSeconds=0")
        except ApiError:
            return
        await asyncio.sleep(0.1)


async def test_kube_proxys_pod_may_be_deleted_once(lab: Lab, change: Api) -> None:
    """It goes, its DaemonSet makes another, and a second call with the same uid cannot meet that one."""
    step, writer = await proxy_step(change), LiveWriter(change)
    await writer.apply(step, dry_run=False)
    assert await writer.standing(step) != "there"

    async def settled() -> bool:
        return await writer.settled(step)

    await until("kube-proxy's new pod is ready", settled, limit=60)
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
    """Compare and swap by resourceVersion, also when both write the same."""
    writer = LiveWriter(change)
    first = await writer.create_claim(claim("w1", "a-swap"))
    assert first
    one, two = Held(writer, first, asyncio.sleep), Held(writer, msgspec.structs.replace(first), asyncio.sleep)
    two.claim = msgspec.structs.replace(first, holder="w2")
    await one.note(0, "sent")
    with pytest.raises(Taken):
        await two.note(0, "sent")
    found = await writer.read_claim("a-swap")
    assert found == one.claim
    assert await writer.read_claim("a-none") is None


async def test_the_change_role_writes_claims_only(change: Api) -> None:
    """It may not write an agent's card, with which it could make evidence up."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "netdiag-agent-node-9"}}
    with pytest.raises(Unanswered, match="only ConfigMaps named netdiag-claim"):
        await change.call("POST", MAPS, what="a card", body=body)


MAPS = "/api/v1/namespaces/netdiag/configmaps"


async def test_an_agent_writes_its_own_card_only(lab: Lab, look: Api, tmp_path: Path) -> None:
    """Its token is bound to a pod, and so to a node; a token that is bound to none writes nothing."""
    pods = (await lab.admin.call("GET", "/api/v1/namespaces/netdiag/pods"))["items"]
    pod = next(one for one in pods if one["spec"]["nodeName"] == "node-1")
    bound = {"kind": "Pod", "apiVersion": "v1", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    agent, unbound = await agent_api(lab, tmp_path, bound), await agent_api(lab, tmp_path, None)
    assert b"node-1" in await agent.call("GET", f"{MAPS}/netdiag-agent-node-1", what="its card")
    for api, name in [
        (agent, "netdiag-agent-node-2"),
        (agent, "netdiag-claim-a-1"),
        (agent, "other"),
        (unbound, "netdiag-agent-node-1"),
        (unbound, "netdiag-agent-"),
    ]:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name.rstrip("-")}}
        with pytest.raises(Unanswered, match="only the ConfigMap netdiag-agent-NODE"):
            await api.call("POST", MAPS, what=name, body=body)
        api.close()
    assert set(await read_cards(look)) == {"node-1", "node-2", "node-3"}


async def agent_api(lab: Lab, folder: Path, bound: dict[str, str] | None) -> Api:
    """The API server as an agent with a token bound to this pod."""
    spec = {"expirationSeconds": 600, **({"boundObjectRef": bound} if bound else {})}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = "/api/v1/namespaces/netdiag/serviceaccounts/netdiag-agent/token"
    token = (await lab.admin.call("POST", path, body))["status"]["token"]
    file = write_kubeconfig(folder / f"{bound is None}.kubeconfig", lab.api_url, lab.control.ca_file, {"token": token})
    return Api.connect(file, role="agent")


async def test_a_missing_right_is_named(look: Api) -> None:
    """The real server's sentence is understood."""
    with pytest.raises(Unanswered, match="the look role may not list secrets in namespace shop") as refused:
        await look.call("GET", "/api/v1/namespaces/shop/secrets", what="secrets")
    assert refused.value.missing.reason == "forbidden"


async def test_every_query_is_answered(look: Api) -> None:
    """The real server's objects are read: a Service with its slices, names, nodes, pods, the API server's addresses."""
    service, names, nodes, pods, ends = await asyncio.gather(
        read_service(GetService("shop", "checkout"), look),
        find_services(FindServices(), look),
        read_nodes(Nodes(), look),
        read_proxy_pods(ProxyPods(), look),
        read_api_endpoints(ApiEndpoints(), look),
    )
    assert [port.node_port for port in service.ports] == [30080]
    assert [point.ready for one in service.slices for point in one.endpoints] == [True, True]
    assert service.slices[0].changed > service.created > 0
    assert {"shop/checkout", "default/kubernetes"} <= set(names.names)
    assert [(node.name, node.ready, node.addresses) for node in nodes.nodes] == [
        ("node-1", True, ("172.30.0.11",)),
        ("node-2", True, ("172.30.0.12",)),
        ("node-3", True, ("172.30.0.13",)),
    ]
    assert [(pod.node, pod.owner, pod.ready) for pod in pods.pods] == [
        ("node-1", "DaemonSet/kube-proxy", True),
        ("node-2", "DaemonSet/kube-proxy", True),
        ("node-3", "DaemonSet/kube-proxy", True),
    ]
    assert ends.addresses == ("172.30.0.1:6443",)
