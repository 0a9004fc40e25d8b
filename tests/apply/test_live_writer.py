"""What the live writer sends, and what it makes of each answer."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.cluster.server import FakeServer, api_for
from workers.apply.live import LiveWriter, claim_name
from workers.apply.writer import Claim, Moved, Refused, Taken, Unsure
from workers.collect.cluster import api as api_module
from workers.core.steps import DeletePod

STEP = DeletePod("kube-system", "kube-proxy-x", old="uid-1", owner="DaemonSet/kube-proxy", node="node-2")
POD = "/api/v1/namespaces/kube-system/pods/kube-proxy-x"
PODS = "/api/v1/namespaces/kube-system/pods"
MAPS = "/api/v1/namespaces/netdiag/configmaps"
MAP = f"{MAPS}/netdiag-claim-a-1"
CLAIM = Claim("a-1", "d1", "w-1/x", 12.5, ("sent", "pending"), beat=3, outcome='{"x": 1}')


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Knows nothing yet."""
    with FakeServer().running() as running:
        yield running


@pytest.fixture
def writer(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveWriter]:
    """The change worker's writer, with little patience."""
    monkeypatch.setattr(api_module, "READ", 0.3)
    api = api_for(server.url, tmp_path, role="change")
    yield LiveWriter(api)
    api.close()


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_delete_carries_the_uid(server: FakeServer, writer: LiveWriter, dry_run: bool) -> None:
    """And is a rehearsal only when it says so."""
    server.says(POD, {"kind": "Status", "status": "Success"})
    await writer.apply(STEP, dry_run=dry_run)
    assert server.asked == [("DELETE", POD, {"dryRun": "All"} if dry_run else {})]
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "uid-1"}}
    assert server.bodies == [{**options, "dryRun": ["All"]} if dry_run else options]


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (404, "NotFound", Moved),
        (409, "Conflict", Moved),
        (403, "Forbidden", Refused),
        (422, "Invalid", Refused),
        (400, "BadRequest", Refused),
        (401, "Unauthorized", Refused),
        (429, "TooManyRequests", Unsure),
        (500, "InternalError", Unsure),
        (503, "ServiceUnavailable", Unsure),
        (504, "Timeout", Unsure),
    ],
)
async def test_each_answer_to_a_delete_has_its_meaning(
    server: FakeServer, writer: LiveWriter, status: int, reason: str, error: type[Exception]
) -> None:
    """Nothing was changed for sure, or nobody knows."""
    server.refuses(POD, status, "the server's sentence", reason)
    with pytest.raises(error):
        await writer.apply(STEP, dry_run=False)


async def test_a_policys_sentence_is_passed_on(server: FakeServer, writer: LiveWriter) -> None:
    """A refusal that is not RBAC's has its own words."""
    server.refuses(POD, 403, "ValidatingAdmissionPolicy 'x' denied request: only kube-proxy", "Forbidden")
    with pytest.raises(Refused, match="only kube-proxy"):
        await writer.apply(STEP, dry_run=True)


async def test_a_delete_that_is_not_answered_is_unsure(server: FakeServer, writer: LiveWriter) -> None:
    """A timeout, and a connection that breaks."""

    async def hang(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.6)
        return web.Response()

    async def cut(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.close()
        return web.Response()

    for handler in (hang, cut):
        server.answers[POD] = handler
        with pytest.raises(Unsure):
            await writer.apply(STEP, dry_run=False)


async def test_a_name_that_is_a_path_is_never_sent(server: FakeServer, writer: LiveWriter) -> None:
    """Refused before any call."""
    with pytest.raises(Refused):
        await writer.apply(DeletePod("kube-system", "../../x", old="u", owner="", node=""), dry_run=False)
    assert server.asked == []


@pytest.mark.parametrize(
    ("metadata", "standing"),
    [
        ({"uid": "uid-1"}, "there"),
        ({"uid": "uid-1", "deletionTimestamp": "2026-11-24T02:51:10Z"}, "leaving"),
        ({"uid": "uid-2"}, "gone"),
        ({}, "gone"),
    ],
)
async def test_where_a_pod_stands(
    server: FakeServer, writer: LiveWriter, metadata: dict[str, Any], standing: str
) -> None:
    """By its uid."""
    server.says(POD, {"metadata": metadata})
    assert await writer.standing(STEP) == standing


async def test_a_pod_that_is_not_there_is_gone(writer: LiveWriter) -> None:
    """404 is an answer; other failures are none."""
    assert await writer.standing(STEP) == "gone"


@pytest.mark.parametrize(("status", "error"), [(403, Refused), (500, Unsure)])
async def test_a_pod_that_cannot_be_seen_is_not_guessed(
    server: FakeServer, writer: LiveWriter, status: int, error: type[Exception]
) -> None:
    """Neither by a missing right nor by a sick server."""
    server.refuses(POD, status, "no")
    server.refuses(PODS, status, "no")
    with pytest.raises(error):
        await writer.standing(STEP)
    with pytest.raises(error):
        await writer.settled(STEP)


OWNER = [{"kind": "DaemonSet", "name": "kube-proxy", "controller": True}]
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.mark.parametrize(
    ("metadata", "status", "settled"),
    [
        ({"uid": "uid-2", "ownerReferences": OWNER}, READY, True),
        ({"uid": "uid-1", "ownerReferences": OWNER}, READY, False),
        ({"uid": "uid-2", "ownerReferences": OWNER}, None, False),
        ({"uid": "uid-2", "ownerReferences": OWNER, "deletionTimestamp": "x"}, READY, False),
        (
            {"uid": "uid-2", "ownerReferences": [{"kind": "DaemonSet", "name": "other", "controller": True}]},
            READY,
            False,
        ),
        ({"uid": "uid-2"}, READY, False),
    ],
    ids=["successor", "the old one", "not ready", "on its way out", "a stranger's", "nobody's"],
)
async def test_when_a_successor_is_there(
    server: FakeServer, writer: LiveWriter, metadata: dict[str, Any], status: Any, settled: bool
) -> None:
    """Of the same controller, on the same node, ready, and another pod."""
    server.says(PODS, {"items": [{"metadata": metadata, "status": status}]})
    assert await writer.settled(STEP) is settled
    assert server.asked[0][2]["fieldSelector"] == "spec.nodeName=node-2"


def test_the_words_for_people(writer: LiveWriter) -> None:
    """What was done, and the command that finds out."""
    assert writer.say(STEP) == "deleted pod kube-proxy-x (uid uid-1) in kube-system on node-2"
    assert writer.how_to_see(STEP) == "kubectl -n kube-system get pod kube-proxy-x -o jsonpath={.metadata.uid}"


def echo(server: FakeServer, path: str) -> None:
    """What was sent comes back with a version, as from a real server."""

    async def handler(_request: web.Request) -> web.Response:
        body = server.bodies[-1]
        body["metadata"]["resourceVersion"] = "77"
        return web.json_response(body)

    server.answers[path] = handler


async def test_a_claim_is_kept_whole(server: FakeServer, writer: LiveWriter) -> None:
    """Created, written at its version, and read back as it was."""
    echo(server, MAPS)
    made = await writer.create_claim(CLAIM)
    assert made
    assert server.bodies[0]["metadata"]["labels"]["netdiag.io/claim"] == "true"
    assert "resourceVersion" not in server.asked[0][2]
    echo(server, MAP)
    assert await writer.write_claim(made) == made
    assert server.bodies[1]["metadata"]["resourceVersion"] == "77"
    server.says(MAP, server.bodies[1])
    assert await writer.read_claim("a-1") == made


async def test_a_claim_that_exists_is_no_error(server: FakeServer, writer: LiveWriter) -> None:
    """Somebody else has it; and one that was never made is None as well."""
    server.refuses(MAPS, 409, "already exists", "AlreadyExists")
    assert await writer.create_claim(CLAIM) is None
    assert await writer.read_claim("a-1") is None


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (409, "Conflict", Taken),
        (404, "NotFound", Taken),
        (403, "Forbidden", Refused),
        (500, "InternalError", Unsure),
    ],
)
async def test_each_answer_to_a_claims_writing_has_its_meaning(
    server: FakeServer, writer: LiveWriter, status: int, reason: str, error: type[Exception]
) -> None:
    """Another's, deleted by hand, not ours to write, or unknown."""
    server.refuses(MAP, status, "no", reason)
    with pytest.raises(error):
        await writer.write_claim(CLAIM)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"approval": "a-1"},
        {**dict.fromkeys(["approval", "digest", "holder", "outcome"], ""), "steps": "half"},
    ],
)
async def test_a_claim_that_cannot_be_read_is_no_permission(server: FakeServer, writer: LiveWriter, data: Any) -> None:
    """Somebody wrote it by hand: refused."""
    server.says(MAP, {"metadata": {"resourceVersion": "1"}, "data": data})
    with pytest.raises(Refused, match="cannot be read"):
        await writer.read_claim("a-1")


@pytest.mark.parametrize("approval", ["", "a/b", "..", "a b", "x" * 300])
def test_an_approval_that_cannot_name_a_claim_is_refused(approval: str) -> None:
    """Nothing is made up in its place."""
    with pytest.raises(Refused):
        claim_name(approval)
