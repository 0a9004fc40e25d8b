"""Restart kube-proxy on one node: delete its pod, so that the DaemonSet makes a new one there.

It heals a kube-proxy that no longer follows an API server that its node does reach. Where deleting a pod would restart
nothing (a static pod's mirror, kube-proxy inside k3s), or would not help, there is no plan.
"""

from typing import Any

from workers.analysis.api_way import decisive, how, open_to
from workers.core.declare import Look, Remedy, Said
from workers.core.evidence.kube_proxy import ProxyPod, ProxyPodList, ProxyPods, ProxyProcess
from workers.core.evidence.reach import ApiEndpoints, ApiReach
from workers.core.evidence.service import Node, Nodes
from workers.core.finding import Finding
from workers.core.plan import Outcome, Plan, Refusal
from workers.core.query import Seen
from workers.core.steps.pods import DeletePod
from workers.core.target import Target

FAULT = "kube-proxy-stale-rules"
EMBEDDED = ("k3s", "rke2")  # the suffix of their kubelet's version; RKE2's own kube-proxy is a static pod
HOW = {
    "tls": "the TLS handshake fails",
    "timeout": "no answer in time",
    "refused": "the connection is refused",
    "unreachable": "there is no way to it",
    "error": "the connection cannot be made",
}
TOUCHES = (
    "kube-proxy on {node} alone: for some seconds no change of any Service is applied there",
    "existing connections through {node} survive; entries of UDP Services are flushed",
)


async def plan(target: Target, args: dict[str, str], look: Look) -> Plan | Refusal:
    """Delete the pod that is there now, by uid; or why not."""
    name = args.get("node", "")
    nodes, pods = await look.both(Nodes(), ProxyPods())
    if nodes.value is None or pods.value is None:
        return _cannot_look(nodes if nodes.value is None else pods, "the kube-proxy pods and nodes")
    node = next((one for one in nodes.value.nodes if one.name == name), None)
    if node is None:
        return Refusal("no-node", {"node": name})
    pod = _pod(pods.value, name)
    refusal = _refuse(node, pod)
    if refusal or pod is None:
        return refusal or Refusal("no-pod", {"node": name})
    refusal = await _cut_off(name, look)
    if refusal:
        return refusal
    step = DeletePod(pod.namespace, pod.name, old=pod.uid, owner=pod.owner, node=name)
    return Plan(
        remedy=REMEDY.name,
        target=target,
        args={"node": name},
        steps=(step,),
        touches=tuple(line.format(node=name) for line in TOUCHES),
    )


def _pod(pods: ProxyPodList, node: str) -> ProxyPod | None:
    """The node's pod; one that is not on its way out, if there are two."""
    there = sorted((pod for pod in pods.pods if pod.node == node), key=lambda pod: (pod.deleting, pod.name))
    return there[0] if there else None


def _refuse(node: Node, pod: ProxyPod | None) -> Refusal | None:
    if pod is None:
        embedded = any(word in node.kubelet_version for word in EMBEDDED)
        return Refusal("embedded" if embedded else "no-pod", {"node": node.name, "version": node.kubelet_version})
    params = {"node": node.name, "pod": pod.name, "owner": pod.owner or "nobody"}
    if pod.mirror or pod.owner.startswith("Node/"):
        return Refusal("static-pod", params)
    if not pod.owner.startswith("DaemonSet/"):
        return Refusal("not-daemonset", params)
    return Refusal("already-deleting", params) if pod.deleting else None


async def _cut_off(node: str, look: Look) -> Refusal | None:
    """A new kube-proxy would begin with a list of everything, and hang there."""
    endpoints = await look(ApiEndpoints())
    addresses = endpoints.value.addresses if endpoints.value else ()
    seen = await look(ApiReach(node, addresses))
    if seen.value is None or not seen.value.answers:
        return _cannot_look(seen, f"the way from {node} to the API server")
    process = await look(ProxyProcess(node))
    answer = decisive(seen.value, process.value, addresses)
    if open_to(answer):
        return None
    return Refusal("api-unreachable", {"node": node, "server": f"https://{answer.address}", "how": HOW[how(answer)]})


def _cannot_look(seen: Seen[Any], what: str) -> Refusal:
    missing = seen.missing
    reason = f"{missing.reason}: {missing.detail}" if missing and missing.detail else missing.reason if missing else ""
    return Refusal("cannot-look", {"what": what, "why": reason or "no answer"})


def verify(before: tuple[Finding, ...], after: Said) -> Outcome:
    """Healed, when the node that was lagging lags no more and could be seen."""
    then = [finding for finding in before if finding.id == FAULT]
    nodes = {finding.scope.get("node", "") for finding in then}
    still = [finding for finding in after.findings if finding.id == FAULT and finding.scope.get("node") in nodes]
    facts_before = tuple(fact for finding in then for fact in _facts(finding))
    if still:
        facts = tuple(fact for finding in still for fact in _facts(finding))
        return Outcome("not-healed", facts_before, facts, "the same difference is still there")
    blind = [one for one in after.unknown if nodes & set(one.what.split())]
    if blind or not after.healthy:
        note = "; ".join(f"{one.what}: {one.reason}" for one in blind or after.unknown)
        return Outcome("unknown", facts_before, (), note or "the check said nothing of this node")
    facts_after = tuple((label, "as the EndpointSlices want") for label, _ in facts_before)
    return Outcome("healed", facts_before, facts_after, "; ".join(after.healthy))


def _facts(finding: Finding) -> list[tuple[str, str]]:
    """What the rules did: the table's rows on the rule and on its endpoints."""
    node = finding.scope.get("node", "")
    rows = finding.compare.rows[:2] if finding.compare else ()
    return [(f"{row[0]} on {node}", row[-1]) for row in rows] or [(f"rules on {node}", "stale")]


REMEDY = Remedy(
    name="restart-kube-proxy",
    title={"en": "restart kube-proxy on {node}", "zh": "重启 {node} 上的 kube-proxy"},
    plan=plan,
    verify=verify,
    check="kube-proxy.stale-rules",
    risk="low",
    fault=FAULT,
    cannot_undo={
        "en": "cannot be undone; kube-proxy resyncs by itself",
        "zh": "无法撤销；kube-proxy 会自行重新同步",
    },
    refusals={
        "api-unreachable": {
            "en": "A restart cannot help while {node} cannot reach the API server at {server}: {how}.",
            "zh": "{node} 无法访问 API server {server}（{how}），重启没有用。",
        },
        "static-pod": {
            "en": "kube-proxy on {node} is a static pod ({pod} is only its mirror): deleting it restarts nothing. Move"
            " its manifest out of the kubelet's manifest folder on {node} and back.",
            "zh": "{node} 上的 kube-proxy 是静态 Pod（{pod} 只是镜像）："
            "删除它不会重启任何进程。请在该节点上把它的清单移出 kubelet 的清单目录再移回。",
        },
        "embedded": {
            "en": "kube-proxy on {node} lives inside the k3s or RKE2 process ({version}): there is no pod to delete."
            " Restart that service on the node itself.",
            "zh": "{node} 上的 kube-proxy 运行在 k3s 或 RKE2 进程内（{version}）："
            "没有可删除的 Pod。请在该节点上重启相应的服务。",
        },
        "no-pod": {
            "en": "There is no kube-proxy pod on {node}: if it runs as a service of the host, restart it there.",
            "zh": "{node} 上没有 kube-proxy Pod：如果它是主机服务，请在主机上重启。",
        },
        "no-node": {"en": "There is no node {node}.", "zh": "没有节点 {node}。"},
        "not-daemonset": {
            "en": "The pod {pod} on {node} belongs to {owner} and not to a DaemonSet: nothing surely makes a new one.",
            "zh": "{node} 上的 Pod {pod} 属于 {owner} 而不是 DaemonSet：删除后不一定会重新创建。",
        },
        "already-deleting": {
            "en": "The pod {pod} on {node} is being deleted already; look again in a minute.",
            "zh": "{node} 上的 Pod {pod} 已在删除中；请一分钟后再看。",
        },
        "cannot-look": {
            "en": "Nothing is planned blindly, and {what} could not be seen: {why}.",
            "zh": "无法查看 {what}（{why}），因此不做任何计划。",
        },
    },
)
