"""What runs in the lab's cluster, and how to wait for it: kube-proxy, CoreDNS, netdiag's roles and agents, a shop.

netdiag's own namespace, roles and admission policy are those of deploy/base, applied as an administrator would.
"""

import asyncio
import dataclasses
import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.lab import lookup, rules
from tests.lab.api import MERGE, Api
from tests.lab.build import kubernetes_version
from tests.lab.nodes import Machine, Node
from tests.lab.processes import LabError, run, until
from tests.lab.sandbox import network_of, outer_of
from workers import keys

if TYPE_CHECKING:
    from tests.lab.cluster import Lab

MANIFESTS = Path(__file__).parent / "manifests"
DEPLOY = Path(__file__).parents[2] / "deploy" / "base"
NODE_PORT = 30080
DNS_ADDRESS = "10.96.0.10"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
APPS = "/apis/apps/v1"
SHOP = f"{APPS}/namespaces/shop/deployments/checkout"
OWNER = "kubernetes.io/service-name"  # label of a slice
NETDIAG = "netdiag"
ACCOUNTS = {"look": "netdiag-look", "change": "netdiag-change"}
TOKEN_SECONDS = 6 * 3600


@dataclasses.dataclass(frozen=True)
class LabPod(Machine):
    """A pod's network: `name` is the namespace's, `address` the pod's."""

    pod: str = ""
    node: str = ""
    uid: str = ""

    @property
    def outer(self) -> str:
        """The node's end of its cable, a port of cni0."""
        return outer_of(self.name)


async def register(api: Api, node: Node) -> None:
    """Make the Node object, as a kubelet does, and say that it is ready."""
    labels = {"kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux"}
    body = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels},
        "spec": {"podCIDR": node.pod_cidr, "podCIDRs": [node.pod_cidr]},
    }
    await api.call("POST", "/api/v1/nodes", body)
    path = f"/api/v1/nodes/{node.name}"
    # Admission taints a new node as not ready, and the controller that takes the taint away is off.
    await api.call("PATCH", path, {"spec": {"taints": None}}, kind=MERGE)
    room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    status = {
        "addresses": [{"type": "InternalIP", "address": node.address}, {"type": "Hostname", "address": node.name}],
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        "capacity": room,
        "allocatable": room,
        "nodeInfo": _node_info(),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},  # log_server.PORT
    }
    await api.call("PATCH", f"{path}/status", {"status": status}, kind=MERGE)


def _node_info() -> dict[str, str]:
    names = ("machineID", "systemUUID", "bootID", "containerRuntimeVersion", "kubeProxyVersion")
    return {
        **dict.fromkeys(names, ""),
        "kernelVersion": platform.release(),
        "osImage": "lab",
        "operatingSystem": "linux",
        "architecture": "amd64",
        "kubeletVersion": kubernetes_version(),
    }


async def install(lab: "Lab") -> None:
    """Apply everything. The order is an administrator's; what depends on what is the controllers' business."""
    made = keys.generate(lab.keys_dir, [lab.cluster])
    if not made:
        raise LabError(f"{lab.keys_dir} held keys already")
    proxy = lab.state / "kube-proxy.yaml"
    text = (MANIFESTS / "kube-proxy.yaml").read_text()
    proxy.write_text(text.replace("mode: iptables\n", f"mode: {lab.cell.proxy_mode}\n"))
    files = (proxy, MANIFESTS / "coredns.yaml", MANIFESTS / "shop.yaml")
    await lab.kubectl("apply", "--server-side", *(f"-f{path}" for path in files))
    await lab.kubectl("apply", "--server-side", "-k", str(DEPLOY))
    callers = {path.name: path.read_text() for path in lab.keys_dir.glob("*.pub") if not path.name.startswith("bot")}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "netdiag-callers"}, "data": callers}
    async with lab.admin as api:
        await api.call("POST", f"/api/v1/namespaces/{NETDIAG}/configmaps", config)
        for who, account in ACCOUNTS.items():
            lab.keep_kubeconfig(who, {"token": await _token(api, account)})
    await lab.kubectl("apply", "--server-side", f"-f{MANIFESTS / 'agent.yaml'}")


async def _token(api: Api, account: str) -> str:
    path = f"/api/v1/namespaces/{NETDIAG}/serviceaccounts/{account}/token"
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    token: str = (await api.call("POST", path, body))["status"]["token"]
    return token


async def scale(lab: "Lab", replicas: int) -> None:
    """Scale checkout, and wait until its endpoints are as many as that."""
    async with lab.admin as api:
        await api.call("PATCH", f"{SHOP}/scale", {"spec": {"replicas": replicas}}, kind=MERGE)

        async def settled() -> bool:
            endpoints = await _endpoints(api)
            return len(endpoints) == replicas and all(ready for _, ready in endpoints)

        await until(f"checkout has {replicas} endpoints", settled, limit=30)


async def _endpoints(api: Api) -> list[tuple[str, bool]]:
    """Address and readiness of each of checkout's endpoints."""
    slices = (await api.call("GET", f"{SLICES}?labelSelector=kubernetes.io/service-name%3Dcheckout"))["items"]
    points = [point for item in slices for point in item["endpoints"] or ()]
    return [(point["addresses"][0], point["conditions"].get("ready", True)) for point in points]


async def until_ruled(lab: "Lab", *, limit: float) -> None:
    """Wait until every node's rules lead to every ready endpoint: an answer proves only one of them."""
    async with lab.admin as api:

        async def ruled() -> bool:
            wanted = await _destinations(api)
            led_to = await asyncio.gather(*(rules.destinations(node, lab.cell) for node in lab.nodes.values()))
            return all(wanted <= led for led in led_to)

        await until("every node has rules for every endpoint", ruled, limit=limit, every=0.2)


async def _destinations(api: Api) -> set[str]:
    """`address:port` of every ready endpoint of a Service with a cluster IP."""
    services, slices = await asyncio.gather(
        api.call("GET", "/api/v1/services"), api.call("GET", "/apis/discovery.k8s.io/v1/endpointslices")
    )
    metas = (item["metadata"] for item in services["items"] if item["spec"].get("clusterIP", "None") != "None")
    with_address = {(meta["namespace"], meta["name"]) for meta in metas}
    return {
        f"{address}:{port['port']}"
        for item in slices["items"]
        if (item["metadata"]["namespace"], item["metadata"].get("labels", {}).get(OWNER)) in with_address
        for point in item["endpoints"] or ()
        if point["conditions"].get("ready", True)
        for address in point["addresses"]
        for port in item["ports"] or ()
    }


async def until_resolved(lab: "Lab", *, limit: float) -> None:
    """Wait until a pod on every node gets a cluster name's address from the cluster's DNS."""
    asking = {pod.node: pod.name for pod in await pods(lab.admin, "shop", "app=cart")}

    async def resolved() -> bool:
        names = (lookup.ask(pod, "kubernetes.default.svc.cluster.local", DNS_ADDRESS) for pod in asking.values())
        return set(asking) == set(lab.nodes) and set(await asyncio.gather(*names)) == {"10.96.0.1"}

    await until(f"names resolve by {DNS_ADDRESS} on every node", resolved, limit=limit)


async def restart_kube_proxy(lab: "Lab", node: str) -> None:
    """Delete kube-proxy's pod on a node, as an administrator would; return when the new one is ready."""
    query = f"labelSelector=k8s-app%3Dkube-proxy&fieldSelector=spec.nodeName%3D{node}"
    path = "/api/v1/namespaces/kube-system/pods"
    async with lab.admin as api:
        old = (await api.call("GET", f"{path}?{query}"))["items"]
        for pod in old:
            await api.call("DELETE", f"{path}/{pod['metadata']['name']}")
        uids = {pod["metadata"]["uid"] for pod in old}

        async def replaced() -> bool:
            pods = (await api.call("GET", f"{path}?{query}"))["items"]
            return len(pods) == 1 and pods[0]["metadata"]["uid"] not in uids and _is_ready(pods[0])

        await until(f"{node} has a new kube-proxy", replaced, limit=30)


async def pods(api: Api, namespace: str, selector: str) -> list[LabPod]:
    """The ready pods that a label selector names, by name."""
    path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={quote(selector)}"
    return [
        LabPod(
            name=network_of(meta["uid"]),
            address=item["status"]["podIP"],
            pod=meta["name"],
            node=item["spec"]["nodeName"],
            uid=meta["uid"],
        )
        for item in sorted((await api.call("GET", path))["items"], key=lambda item: item["metadata"]["name"])
        if _is_ready(item) and "deletionTimestamp" not in (meta := item["metadata"])
    ]


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


async def until_ready(lab: "Lab", *, limit: float) -> None:
    """Wait until every pod that should be there is ready, kube-proxy has synced, and every agent has its card out."""
    async with lab.admin as api:

        async def ready() -> bool:
            pods, deployments, daemons = await asyncio.gather(
                *(api.call("GET", path) for path in ("/api/v1/pods", f"{APPS}/deployments", f"{APPS}/daemonsets"))
            )
            wanted = sum(one["spec"]["replicas"] for one in deployments["items"])
            wanted += len(daemons["items"]) * len(lab.nodes)
            good = [pod for pod in pods["items"] if _is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]
            return bool(len(good) == wanted)

        async def cards() -> bool:
            path = f"/api/v1/namespaces/{NETDIAG}/configmaps?labelSelector=netdiag.io/agent%3Dtrue"
            return len((await api.call("GET", path))["items"]) == len(lab.nodes)

        await until("every pod is ready", ready, limit=limit)
        await until("every agent has published its card", cards, limit=limit)


async def keep_agents_kubeconfigs(lab: "Lab") -> None:
    """Write `agent-<node>` for every node: it reads the token where the agent's pod has it."""
    query = "labelSelector=app.kubernetes.io/name%3Dnetdiag-agent"
    for pod in (await lab.admin.call("GET", f"/api/v1/namespaces/{NETDIAG}/pods?{query}"))["items"]:
        (token,) = (lab.state / "pods" / pod["metadata"]["uid"]).glob("*/token")
        lab.keep_kubeconfig(f"agent-{pod['spec']['nodeName']}", {"tokenFile": str(token)})


async def who_am_i(lab: "Lab", who: str) -> dict[str, Any]:
    """What the API server takes a kubeconfig's user for."""
    kubectl, kubeconfig = str(lab.binaries / "kubectl"), f"--kubeconfig={lab.kubeconfig(who)}"
    answer: dict[str, Any] = json.loads(await run(kubectl, kubeconfig, "auth", "whoami", "-o", "json"))
    said: dict[str, Any] = answer["status"]["userInfo"]
    return said
