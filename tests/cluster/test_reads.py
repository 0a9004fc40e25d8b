"""Each read turns what real API servers send, nulls and all, into evidence."""

import datetime as dt
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web

from tests.cluster.server import FakeServer
from workers.collect import cluster
from workers.collect.cluster import reach as reach_module
from workers.collect.cluster.answers import Unanswered
from workers.collect.cluster.api import NAMES_ONLY, Api
from workers.collect.cluster.kube_proxy import read_proxy_pods
from workers.collect.cluster.objects import seconds
from workers.collect.cluster.reach import read_api_endpoints
from workers.collect.cluster.service import find_services, read_nodes, read_service
from workers.core.errors import BadDeclaration
from workers.core.evidence.kube_proxy import ProxyPods
from workers.core.evidence.reach import ApiEndpoints
from workers.core.evidence.service import Endpoint, FindServices, GetService, Nodes, ServicePort

SERVICE = "/api/v1/namespaces/shop/services/checkout"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
CARDS = "/api/v1/namespaces/netdiag/configmaps"
AT = "2026-11-24T02:51:10Z"
AT_SECONDS = dt.datetime(2026, 11, 24, 2, 51, 10, tzinfo=dt.UTC).timestamp()
ASKED = GetService("shop", "checkout")


def service(spec: dict[str, Any] | None, **rest: Any) -> dict[str, Any]:
    """A Service as the API server sends it."""
    meta = {"name": "checkout", "namespace": "shop", "uid": "u", "creationTimestamp": AT, **rest.pop("metadata", {})}
    return {"kind": "Service", "metadata": meta, "spec": spec, **rest}


def slices(*items: dict[str, Any]) -> dict[str, Any]:
    """A list of EndpointSlices."""
    return {"kind": "EndpointSliceList", "items": list(items), "metadata": {"resourceVersion": "7"}}


async def test_a_node_port_service_is_read_whole(server: FakeServer, api: Api) -> None:
    """With ports, addresses, policies and slices; status of a balancer that delivers to node ports is left out."""
    spec = {
        "type": "LoadBalancer",
        "clusterIP": "10.96.0.9",
        "clusterIPs": ["10.96.0.9", "fd00::9"],
        "externalIPs": ["192.0.2.1"],
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "web", "nodePort": 30080}],
        "selector": {"app": "checkout"},
        "externalTrafficPolicy": "Local",
        "internalTrafficPolicy": "Local",
        "sessionAffinity": "ClientIP",
        "publishNotReadyAddresses": True,
        "aFieldOfTomorrow": {"x": [1]},
    }
    ingress = [{"ip": "198.51.100.1", "ipMode": "VIP"}, {"ip": "198.51.100.2", "ipMode": "Proxy"}, {"hostname": "x"}]
    labels = {"labels": {"service.kubernetes.io/service-proxy-name": "other"}}
    server.says(SERVICE, service(spec, status={"loadBalancer": {"ingress": ingress}}, metadata=labels))
    server.says(SLICES, slices({"metadata": {"name": "b"}}, {"metadata": {"name": "a"}}))
    seen = await read_service(ASKED, api)
    assert (seen.namespace, seen.name, seen.uid, seen.type) == ("shop", "checkout", "u", "LoadBalancer")
    assert seen.cluster_ips == ("10.96.0.9", "fd00::9")
    assert seen.external_ips == ("192.0.2.1", "198.51.100.1")
    assert seen.ports == (ServicePort("http", "TCP", 80, "web", 30080),)
    assert (seen.external_policy, seen.internal_policy, seen.affinity) == ("Local", "Local", "ClientIP")
    assert (seen.publish_not_ready, seen.created, seen.proxy) == (True, AT_SECONDS, "other")
    assert [one.name for one in seen.slices] == ["a", "b"]
    asked = {path: query for _, path, query in server.asked}
    assert asked[SLICES]["labelSelector"] == "kubernetes.io/service-name=checkout"


@pytest.mark.parametrize(
    ("spec", "kind", "addresses"),
    [
        ({"clusterIP": "None", "clusterIPs": ["None"]}, "ClusterIP", ()),
        ({"type": "ExternalName", "externalName": "example.org"}, "ExternalName", ()),
        ({"clusterIP": "10.96.0.9"}, "ClusterIP", ("10.96.0.9",)),
        (None, "ClusterIP", ()),
        (dict.fromkeys(["type", "clusterIP", "clusterIPs", "externalIPs", "ports", "selector"]), "ClusterIP", ()),
    ],
    ids=["headless", "external name", "old field", "no spec", "all null"],
)
async def test_odd_services_are_read(
    server: FakeServer, api: Api, spec: dict[str, Any] | None, kind: str, addresses: tuple[str, ...]
) -> None:
    """Headless, by another name, or full of null."""
    server.says(SERVICE, service(spec, status=None))
    server.says(SLICES, {"items": None})
    seen = await read_service(ASKED, api)
    assert (seen.type, seen.cluster_ips, seen.slices) == (kind, addresses, ())
    assert (seen.external_policy, seen.affinity) == ("Cluster", "None")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, Endpoint(())),
        ({"addresses": ["10.0.0.1"], "conditions": {}}, Endpoint(("10.0.0.1",))),
        ({"conditions": {"ready": None}}, Endpoint((), ready=True, serving=True)),
        ({"conditions": {"ready": False}}, Endpoint((), ready=False, serving=False)),
        (
            {"conditions": {"ready": False, "serving": True, "terminating": True}},
            Endpoint((), ready=False, serving=True, terminating=True),
        ),
        (
            {"nodeName": "node-2", "targetRef": {"kind": "Pod", "name": "p", "namespace": "shop"}},
            Endpoint((), node="node-2", pod="p"),
        ),
        ({"targetRef": {"kind": "VirtualMachine", "name": "v"}}, Endpoint(())),
        (
            {"hints": {"forZones": [{"name": "b"}, {"name": "a"}], "forNodes": [{"name": "n1"}]}},
            Endpoint((), hints=("node/n1", "zone/a", "zone/b")),
        ),
        ({"hints": {"forZones": None}}, Endpoint(())),
    ],
)
async def test_an_endpoints_conditions_are_defaulted(
    server: FakeServer, api: Api, given: dict[str, Any], wanted: Endpoint
) -> None:
    """`ready` absent is ready; `serving` absent is as `ready`; `terminating` absent is false."""
    server.says(SERVICE, service({}))
    server.says(SLICES, slices({"metadata": {"name": "s"}, "addressType": "IPv6", "endpoints": [given]}))
    (one,) = (await read_service(ASKED, api)).slices
    assert (one.endpoints, one.address_type) == ((wanted,), "IPv6")


async def test_null_in_a_slice_is_empty(server: FakeServer, api: Api) -> None:
    """Real servers send `endpoints: null` for an empty slice, and null for a port without a name."""
    server.says(SERVICE, service({}))
    null = {"metadata": {"name": "s"}, "addressType": None, "endpoints": None, "ports": [{"name": None, "port": None}]}
    server.says(SLICES, slices(null, {"metadata": {"name": "t"}, "ports": None}))
    first, second = (await read_service(ASKED, api)).slices
    assert [(port.name, port.protocol, port.port) for port in first.ports] == [("", "TCP", 0)]
    assert (first.endpoints, second.ports) == ((), ())


EARLY, LATE = "2026-11-24T02:00:00Z", "2026-11-24T02:51:10.999999999Z"


@pytest.mark.parametrize(
    ("metadata", "changed"),
    [
        (
            {
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": AT},
                "managedFields": [{"time": LATE}],
            },
            AT,
        ),
        ({"managedFields": [{"time": EARLY}, {"time": AT}, {"time": None}], "creationTimestamp": EARLY}, AT),
        ({"annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "soon"}, "creationTimestamp": AT}, AT),
        ({"annotations": None, "managedFields": None, "creationTimestamp": AT}, AT),
        ({"annotations": None}, None),
    ],
    ids=["annotation", "newest managed field", "unreadable annotation", "creation", "nothing"],
)
async def test_when_a_slice_changed_last(
    server: FakeServer, api: Api, metadata: dict[str, Any], changed: str | None
) -> None:
    """The annotation, else the newest managed field, else the creation, else unknown."""
    server.says(SERVICE, service({}))
    server.says(SLICES, slices({"metadata": {"name": "s", **metadata}}))
    (one,) = (await read_service(ASKED, api)).slices
    assert one.changed == (seconds(changed) if changed else 0.0)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (AT, AT_SECONDS),
        ("2026-11-24T02:51:10.5Z", AT_SECONDS + 0.5),
        ("2026-11-24T03:51:10+01:00", AT_SECONDS),
        ("2026-11-24T02:51:10", 0.0),
        ("2026-11-24", 0.0),
        ("", 0.0),
        (None, 0.0),
    ],
)
def test_times_are_read(text: str | None, at: float) -> None:
    """RFC 3339 with any fraction; a time without a zone is none."""
    assert seconds(text) == at


@pytest.mark.parametrize("name", ["..", "a/b", "Checkout"])
async def test_a_service_that_cannot_exist_is_not_asked_for(server: FakeServer, api: Api, name: str) -> None:
    """No call is made with such a name."""
    with pytest.raises(Unanswered):
        await read_service(GetService("shop", name), api)
    assert server.asked == []


async def test_a_missing_service_is_named(server: FakeServer, api: Api) -> None:
    """And is `not-found`, even when slices of that name are left."""
    server.says(SLICES, slices({"metadata": {"name": "s"}}))
    with pytest.raises(Unanswered, match="there is no Service checkout in namespace shop"):
        await read_service(ASKED, api)


@pytest.mark.parametrize(
    ("query", "path", "selector"),
    [
        (FindServices(), "/api/v1/services", None),
        (FindServices("checkout"), "/api/v1/services", "metadata.name=checkout"),
        (FindServices("checkout", "shop"), "/api/v1/namespaces/shop/services", "metadata.name=checkout"),
        (FindServices(namespace="shop"), "/api/v1/namespaces/shop/services", None),
    ],
)
async def test_names_are_found_without_their_objects(
    server: FakeServer, api: Api, query: FindServices, path: str, selector: str | None
) -> None:
    """The server is asked for metadata only, and sorts nothing for us."""
    found = [{"metadata": {"namespace": "z", "name": "a"}}, {"metadata": {"namespace": "a", "name": "z"}}]
    server.says(path, {"items": found})
    assert (await find_services(query, api)).names == ("a/z", "z/a")
    assert server.asked[0][2].get("fieldSelector") == selector
    assert server.accepted == [NAMES_ONLY]


async def test_nodes_are_read(server: FakeServer, api: Api) -> None:
    """Sorted; internal addresses only; not ready without the condition."""
    status = {
        "addresses": [
            {"type": "InternalIP", "address": "172.30.0.12"},
            {"type": "Hostname", "address": "node-2"},
            {"type": "InternalIP", "address": None},
        ],
        "conditions": [{"type": "MemoryPressure", "status": "True"}, {"type": "Ready", "status": "True"}],
        "nodeInfo": {"kubeletVersion": "v1.37.2+k3s1", "operatingSystem": "windows"},
        "images": [{"names": ["x"] * 50}],
    }
    sick = {"conditions": [{"type": "Ready", "status": "Unknown"}], "addresses": None}
    items = [
        {"metadata": {"name": "node-2", "uid": "u2"}, "spec": {"unschedulable": True}, "status": status},
        {"metadata": {"name": "node-1"}, "status": sick},
        {"metadata": {"name": "node-0"}, "spec": None, "status": None},
    ]
    server.says("/api/v1/nodes", {"items": items})
    zero, one, two = (await read_nodes(Nodes(), api)).nodes
    assert (two.name, two.uid, two.addresses, two.ready) == ("node-2", "u2", ("172.30.0.12",), True)
    assert (two.unschedulable, two.kubelet_version, two.os) == (True, "v1.37.2+k3s1", "windows")
    assert (one.ready, one.addresses, zero.ready, zero.os) == (False, (), False, "linux")


async def test_proxy_pods_are_read(server: FakeServer, api: Api) -> None:
    """Of both labels, once each, with their controller; a static pod's mirror is marked."""

    def pod(uid: str, node: str, **rest: Any) -> dict[str, Any]:
        spec = {"nodeName": node} if node else None
        meta = {"name": f"p-{uid}", "namespace": "kube-system", "uid": uid, **rest.pop("metadata", {})}
        return {"metadata": meta, "spec": spec, "status": rest.pop("status", None)}

    owned = {
        "ownerReferences": [
            {"kind": "Node", "name": "x"},
            {"kind": "DaemonSet", "name": "kube-proxy", "controller": True},
        ]
    }
    mirror = {
        "annotations": {"kubernetes.io/config.mirror": "abc"},
        "ownerReferences": [{"kind": "Node", "name": "node-2", "controller": True}],
    }
    ready = {"startTime": AT, "conditions": [{"type": "Ready", "status": "True"}]}
    by_label = {
        "k8s-app=kube-proxy": [
            pod("1", "node-1", metadata=owned, status=ready),
            pod("2", "", metadata={"deletionTimestamp": AT}),
        ],
        "component=kube-proxy": [pod("3", "node-2", metadata=mirror), pod("1", "node-1", metadata=owned, status=ready)],
    }

    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"items": by_label[request.query["labelSelector"]]})

    server.answers["/api/v1/namespaces/kube-system/pods"] = handler
    pending, first, static = (await read_proxy_pods(ProxyPods(), api)).pods
    assert (first.node, first.owner, first.ready, first.started) == ("node-1", "DaemonSet/kube-proxy", True, AT_SECONDS)
    assert (static.mirror, static.owner, static.ready) == (True, "Node/node-2", False)
    assert (pending.deleting, pending.node, pending.owner) == (True, "", "")


async def test_the_api_servers_own_addresses_are_read(server: FakeServer, api: Api) -> None:
    """Sorted, IPv6 in brackets."""
    endpoints = [{"addresses": ["10.0.0.2", "10.0.0.1"]}, {"addresses": ["fd00::1"]}, {"addresses": None}]
    path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    server.says(path, slices({"ports": [{"port": 6443}], "endpoints": endpoints}, {"ports": None}))
    assert (await read_api_endpoints(ApiEndpoints(), api)).addresses == (
        "10.0.0.1:6443",
        "10.0.0.2:6443",
        "[fd00::1]:6443",
    )


def test_every_cluster_query_has_one_reader() -> None:
    """Found by listing the package."""
    assert set(cluster.reads()) == {GetService, FindServices, Nodes, ProxyPods, ApiEndpoints}


@pytest.fixture
def twice(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A file that answers what another one answers, too."""
    monkeypatch.setattr(reach_module, "READS", {Nodes: read_nodes})
    cluster.reads.cache_clear()
    yield reach_module
    cluster.reads.cache_clear()


def test_two_readers_of_one_query_are_a_wrong_declaration(twice: ModuleType) -> None:
    """The message names a file."""
    assert twice
    with pytest.raises(BadDeclaration, match=r"workers/collect/cluster/\w+\.py answers Nodes"):
        cluster.reads()
