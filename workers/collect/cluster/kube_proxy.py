"""Which kube-proxy pods does the API server know?"""

import asyncio

from workers.collect.cluster.api import Api
from workers.collect.cluster.objects import Condition, Meta, Object, holds, seconds
from workers.core.evidence.kube_proxy import ProxyPod, ProxyPodList, ProxyPods

NAMESPACE = "kube-system"
# kubeadm's DaemonSet and what follows it; RKE2's static pods are labelled like a control plane's other static pods.
LABELS = ("k8s-app=kube-proxy", "component=kube-proxy")
MIRROR = "kubernetes.io/config.mirror"  # the kubelet writes it on the mirror of a static pod


class PodSpec(Object, frozen=True):
    """A pod's spec."""

    node_name: str | None = None


class PodStatus(Object, frozen=True):
    """A pod's status."""

    start_time: str | None = None
    conditions: list[Condition] | None = None


class Pod(Object, frozen=True):
    """A pod."""

    metadata: Meta = Meta()
    spec: PodSpec | None = None
    status: PodStatus | None = None


async def read_proxy_pods(query: ProxyPods, api: Api) -> ProxyPodList:
    """The pods under each of the labels, once each."""
    del query
    lists = await asyncio.gather(*(_labelled(api, label) for label in LABELS))
    pods = {pod.metadata.uid: _pod(pod) for found in lists for pod in found}
    return ProxyPodList(tuple(sorted(pods.values(), key=lambda pod: (pod.node, pod.name))))


async def _labelled(api: Api, label: str) -> list[Pod]:
    return await api.every(
        f"/api/v1/namespaces/{NAMESPACE}/pods", Pod, what="the kube-proxy pods", select={"labelSelector": label}
    )


def _pod(pod: Pod) -> ProxyPod:
    meta, status = pod.metadata, pod.status or PodStatus()
    return ProxyPod(
        namespace=meta.namespace or NAMESPACE,
        name=meta.name or "",
        uid=meta.uid or "",
        node=(pod.spec and pod.spec.node_name) or "",
        owner=meta.owner,
        mirror=MIRROR in (meta.annotations or {}),
        ready=holds(status.conditions, "Ready"),
        deleting=bool(meta.deletion_timestamp),
        started=seconds(status.start_time),
    )


READS = {ProxyPods: read_proxy_pods}
