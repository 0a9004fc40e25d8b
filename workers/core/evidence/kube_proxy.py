"""kube-proxy: its pods as the API server tells them, its process and its HTTP answers as the node does."""

from typing import Literal

import msgspec

from workers.core.query import NodeQuery, Query


class ProxyPod(msgspec.Struct, frozen=True, omit_defaults=True):
    """A kube-proxy pod.

    owner: `DaemonSet/kube-proxy`, `Node/node-2` (a mirror pod of a static pod), or empty. deleting: it has a
    deletionTimestamp.
    """

    namespace: str
    name: str
    uid: str
    node: str
    owner: str = ""
    mirror: bool = False
    ready: bool = True
    deleting: bool = False
    started: float = 0.0


class ProxyPodList(msgspec.Struct, frozen=True):
    """All kube-proxy pods (label `k8s-app=kube-proxy` in kube-system), sorted by node."""

    pods: tuple[ProxyPod, ...]


class ProxyPods(Query[ProxyPodList], frozen=True, tag="kube-proxy-pods"):
    """The kube-proxy pods of the cluster."""

    answer = ProxyPodList


class HttpAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a local HTTP endpoint did: `answered` (with `status`), `refused`, `timeout` (it accepts but never
    answers, or does not accept) or `error`.
    """

    state: Literal["answered", "refused", "timeout", "error"]
    status: int = 0
    took: float = 0.0
    detail: str = ""


class ProxyState(msgspec.Struct, frozen=True, omit_defaults=True):
    """kube-proxy on one node.

    pid: 0 when no such process runs in this node's network namespace. state: the letter of /proc/PID/stat (`T` is
    stopped, `D` blocked, `Z` dead).
    started: Unix time. server: the API server's URL in its kubeconfig, when readable. healthz: port 10256. metrics:
    port 10249.
    mode: /proxyMode's text. values: metric name -> value, for
    kubeproxy_sync_proxy_rules_{last,last_queued}_timestamp_seconds and the like.
    """

    pid: int
    state: str = ""
    started: float = 0.0
    server: str = ""
    healthz: HttpAnswer | None = None
    metrics: HttpAnswer | None = None
    mode: str = ""
    values: dict[str, float] = {}


class ProxyProcess(NodeQuery[ProxyState], frozen=True, tag="kube-proxy-process"):
    """kube-proxy's process and what it answers, on `node`."""

    answer = ProxyState
