"""Restart kube-proxy on one node: delete its pod, so that the DaemonSet makes a new one there.

It heals a kube-proxy that no longer follows an API server that its node does reach. Where deleting a pod would restart
nothing (a static pod's mirror, kube-proxy inside k3s), or would not help, there is no plan.
"""

from workers.core.declare import Look, Remedy, Said
from workers.core.evidence.kube_proxy import ProxyPod, ProxyPodList, ProxyPods
from workers.core.evidence.reach import ApiAnswer, ApiAnswers, ApiEndpoints, ApiReach
from workers.core.evidence.service import Node, Nodes
from workers.core.finding import Finding
from workers.core.plan import Outcome, Plan, Refusal
from workers.core.query import Seen
from workers.core.steps.pods import DeletePod
from workers.core.target import Target

FAULT = "kube-proxy-stale-rules"
EMBEDDED = ("k3s", "rke2")  # the suffix of their kubelet's version; RKE2's own kube-proxy is a static pod
TOUCHES = (
    "kube-proxy on {node} alone: for some seconds no change of any Service is applied there",
    "existing connections through {node} survive; entries of UDP Services are flushed",
)


async def plan(target: Target, args: dict[str, str], look: Look) -> Plan | Refusal:
    """Delete the pod that is there now, by uid; or why not."""
    name = args.get("node", "")
    nodes, pods = await look(Nodes()), await look(ProxyPods())
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
        owner=pod.owner,
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
    seen = await look(ApiReach(node, endpoints.value.addresses if endpoints.value else ()))
    if seen.value is None or not seen.value.answers:
        return _cannot_look(seen, f"the way from {node} to the API server")
    answer = _own(seen.value)
    if answer.tcp == "open" and (answer.tls or answer.status):
        return None
    how = {"open": "the TLS handshake fails", "timeout": "no answer in time"}.get(answer.tcp, answer.tcp)
    return Refusal("api-unreachable", {"node": node, "server": f"https://{answer.address}", "how": how})


def _own(answers: ApiAnswers) -> ApiAnswer:
    """The agent puts the server of kube-proxy's own kubeconfig first: the one that a new process will ask."""
    return answers.answers[0]


def _cannot_look(seen: Seen[object], what: str) -> Refusal:
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
    blind = [one for one in after.unknown if any(node and node in one.what for node in nodes)]
    if blind or (after.unknown and not after.healthy):
        note = "; ".join(f"{one.what}: {one.reason}" for one in blind or after.unknown)
        return Outcome("unknown", facts_before, (), note)
    facts_after = tuple((label, _healed(label)) for label, _ in facts_before)
    return Outcome("healed", facts_before, facts_after, "; ".join(after.healthy))


def _facts(finding: Finding) -> list[tuple[str, str]]:
    node = finding.scope.get("node", "")
    compare = finding.compare
    rows = compare.rows[:3] if compare else ()
    return [(f"{row[0]} on {node}", row[-1]) for row in rows] or [(f"rules on {node}", "stale")]


def _healed(label: str) -> str:
    return "as the EndpointSlices want" if label.startswith(("rule", "endpoints")) else "not tried again"
