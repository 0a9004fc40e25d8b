"""Whatever the API server does, a call ends in time, with a value or with a reason that a person understands."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.cluster.server import FakeServer, api_for
from workers.collect.cluster import api as module
from workers.collect.cluster.answers import Unanswered
from workers.collect.cluster.api import Api, name_or_missing
from workers.collect.cluster.objects import Named
from workers.core.errors import TypedWrongly

PODS = "/api/v1/pods"


async def missing(api: Api, path: str = PODS, what: str = "the pods") -> tuple[str, str]:
    """The reason and the sentence for which there is no answer."""
    with pytest.raises(Unanswered) as refused:
        await api.every(path, Named, what=what)
    return refused.value.missing.reason, refused.value.missing.detail


def forbidden(verb: str, resource: str, group: str, where: str) -> str:
    """As the API server writes it."""
    return (
        f'{resource}.{group} is forbidden: User "system:serviceaccount:netdiag:netdiag-look" cannot {verb} resource'
        f' "{resource}" in API group "{group}" {where}'
    )


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (
            forbidden("list", "endpointslices", "discovery.k8s.io", 'in the namespace "shop"'),
            "the look role may not list endpointslices.discovery.k8s.io in namespace shop",
        ),
        (
            forbidden("list", "nodes", "", "at the cluster scope") + ': RBAC: clusterrole "x" not found',
            "the look role may not list nodes in the whole cluster",
        ),
        ("admission webhook says no", "admission webhook says no"),
    ],
)
async def test_the_right_that_is_missing_is_named(server: FakeServer, api: Api, message: str, says: str) -> None:
    """403 is read, not only counted."""
    server.refuses(PODS, 403, message, "Forbidden")
    assert await missing(api) == ("forbidden", says)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "refused"), (404, "not-found"), (429, "refused"), (500, "refused"), (503, "refused"), (504, "timeout")],
)
async def test_every_status_is_a_reason(server: FakeServer, api: Api, status: int, reason: str) -> None:
    """With the server's own sentence, except where the object is simply not there."""
    server.refuses(PODS, status, "the server's sentence")
    said, detail = await missing(api)
    assert said == reason
    assert detail == "there is no the pods" if status == 404 else "the server's sentence" in detail


@pytest.mark.parametrize(
    "body", ["<html>busy</html>", "", "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")]
)
async def test_an_error_without_a_status_object_is_a_reason(server: FakeServer, api: Api, body: str) -> None:
    """A load balancer in between speaks no Kubernetes."""
    server.says(PODS, body, status=502)
    said, detail = await missing(api)
    assert said == "refused"
    assert "502" in detail


@pytest.mark.parametrize("body", ['{"items": [{"metadata": {"na', "[]", '{"items": {}}', '{"items": [7]}', "null", ""])
async def test_what_cannot_be_read_is_unreadable(server: FakeServer, api: Api, body: str) -> None:
    """Cut off, or of another shape."""
    server.says(PODS, body)
    assert (await missing(api))[0] == "unreadable"


@pytest.mark.parametrize(
    "body", [{"items": None}, {}, {"items": None, "metadata": None}, {"metadata": {"continue": None}}]
)
async def test_null_is_an_empty_list(server: FakeServer, api: Api, body: object) -> None:
    """Real servers send it."""
    server.says(PODS, body)
    assert await api.every(PODS, Named, what="the pods") == []


def pages(server: FakeServer, *, gone_at: int | None = None, ends: int = 4) -> None:
    """A list in pages of one; at page `gone_at` its continue token has expired."""

    async def handler(request: web.Request) -> web.Response:
        number = int(request.query.get("continue", "0"))
        if number == gone_at:
            return web.json_response({"reason": "Expired", "message": "too old"}, status=410)
        whole = "limit" not in request.query
        names = range(ends) if whole else [number]
        token = "" if whole or number + 1 == ends else str(number + 1)
        items = [{"metadata": {"name": f"p{one}"}} for one in names]
        return web.json_response({"items": items, "metadata": {"continue": token}})

    server.answers[PODS] = handler


async def test_a_list_is_read_page_by_page(server: FakeServer, api: Api) -> None:
    """500 at a time, with the selector on every page."""
    pages(server)
    found = await api.every(PODS, Named, what="the pods", select={"labelSelector": "a=b"})
    assert [one.metadata.name for one in found] == ["p0", "p1", "p2", "p3"]
    queries = [query for _, _, query in server.asked]
    assert {query["limit"] for query in queries} == {"500"}
    assert {query["labelSelector"] for query in queries} == {"a=b"}
    assert [query.get("continue") for query in queries] == [None, "1", "2", "3"]


async def test_a_token_that_has_expired_begins_again_whole(server: FakeServer, api: Api) -> None:
    """410 in the middle: once without pages, as client-go does; nothing is twice."""
    pages(server, gone_at=2)
    found = await api.every(PODS, Named, what="the pods")
    assert [one.metadata.name for one in found] == ["p0", "p1", "p2", "p3"]
    assert "limit" not in server.asked[-1][2]


async def test_a_server_that_says_gone_for_ever_is_given_up(server: FakeServer, api: Api) -> None:
    """No loop."""
    server.refuses(PODS, 410, "too old", "Expired")
    assert (await missing(api))[0] == "refused"
    assert len(server.asked) == 2


async def test_a_redirect_is_not_followed(server: FakeServer, api: Api) -> None:
    """The credentials stay where they belong."""

    async def away(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    server.answers[PODS] = away
    assert (await missing(api))[0] == "refused"
    assert [path for _, path, _ in server.asked] == [PODS]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the patience."""
    monkeypatch.setattr(module, "CONNECT", 0.2)
    monkeypatch.setattr(module, "READ", 0.3)
    monkeypatch.setattr(module, "WHOLE", 0.6)


@pytest.mark.usefixtures("quick")
async def test_a_server_that_is_silent_is_a_timeout(server: FakeServer, api: Api) -> None:
    """It takes the connection and says nothing."""

    async def hang(_request: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    server.answers[PODS] = hang
    said, detail = await missing(api)
    assert (said, "did not answer for the pods" in detail) == ("timeout", True)
    assert len(server.asked) == 1  # no retry


@pytest.mark.usefixtures("quick")
async def test_a_server_that_drips_is_a_timeout(server: FakeServer, api: Api) -> None:
    """Each byte comes in time, and the whole never does."""

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(30):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    server.answers[PODS] = drip
    assert (await missing(api))[0] == "timeout"


async def test_an_answer_that_breaks_off_is_unreadable(server: FakeServer, api: Api) -> None:
    """Fewer bytes than were promised."""

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"items": [')
        assert request.transport
        request.transport.close()
        return response

    server.answers[PODS] = cut
    assert (await missing(api))[0] == "unreadable"


async def test_an_answer_without_end_is_unreadable(
    server: FakeServer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded."""
    monkeypatch.setattr(module, "LARGEST", 100_000)
    server.says(PODS, {"items": [{"metadata": {"name": "x" * 200_000}}]})
    said, detail = await missing(api)
    assert (said, "larger than" in detail) == ("unreadable", True)


async def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    """Refused at once; the sentence has the address."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        said, detail = await missing(api_for(url, tmp_path))
    assert (said, url in detail) == ("unreachable", True)


@pytest.fixture
def deaf() -> Iterator[str]:
    """A listener whose queue is full: a connection to it is never made."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.usefixtures("quick")
async def test_a_connection_that_is_never_made_is_unreachable(deaf: str, tmp_path: Path) -> None:
    """Packets that are dropped, as by a cut way."""
    assert (await missing(api_for(deaf, tmp_path)))[0] in {"unreachable", "timeout"}


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a%2Fb", "A", "-a", "a-", "x" * 254, "a b", "ä", "a\n", "?x"])
def test_a_name_that_no_object_can_have_never_gets_into_a_path(name: str) -> None:
    """It is `not-found`, without a call."""
    with pytest.raises(Unanswered, match="can be called") as refused:
        name_or_missing("Service", name)
    assert refused.value.missing.reason == "not-found"


@pytest.mark.parametrize("name", ["a", "a.b", "kube-proxy-x7f2k", "x" * 253])
def test_good_names_pass(name: str) -> None:
    """As DNS subdomains are."""
    assert name_or_missing("pod", name) == name


@pytest.mark.parametrize("text", [None, "", "{", "apiVersion: v1\nkind: Config\n"])
def test_a_kubeconfig_that_cannot_be_used_is_said(tmp_path: Path, text: str | None) -> None:
    """With its path."""
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TypedWrongly, match="kubeconfig"):
        Api.connect(path, role="look")


def test_without_a_kubeconfig_the_pods_account_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a pod there is none."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(TypedWrongly, match="the pod"):
        Api.connect(None, role="look")
