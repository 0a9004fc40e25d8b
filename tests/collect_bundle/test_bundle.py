"""A bundle holds a run, and a run over it comes to the same end."""

import gzip
import json
from typing import Any

import pytest

from tests.world import NOW, World, a_slice, endpoint, service, stopped, target
from workers.catalogue import query_types
from workers.collect.bundle import BadBundle, BundleSource, pack, unpack
from workers.collect.look import Looker
from workers.core.evidence.kube_proxy import ProxyProcess
from workers.core.evidence.service import GetService, Nodes
from workers.core.target import Request
from workers.diagnose import Diagnosed, diagnose

OLD = service(a_slice(endpoint("10.244.1.5", ready=False, serving=False)))
YOUNG = service(a_slice(endpoint("10.244.1.5"), changed=NOW - 2))
STALE = World(known={"node-2": OLD}, processes={"node-2": stopped()}, connects={("node-1", "172.30.0.12"): "refused"})
REQUEST = Request("svc", target())


async def run(world: World) -> tuple[Diagnosed, bytes]:
    """A run, and its bundle."""
    look = world.look()
    ended = await diagnose(REQUEST, look)
    return ended, pack(look.recorded(), request=REQUEST, target=target(), at=world.at, release="0.1.0")


async def replay(data: bytes) -> Diagnosed:
    """The run over its bundle."""
    look = Looker(BundleSource(unpack(data, query_types())), now=lambda: 0.0, wait=False)
    return await diagnose(REQUEST, look)


@pytest.mark.parametrize(
    "world",
    [
        World(),
        STALE,
        STALE.but(cut=("node-2",)),
        STALE.but(silent=("node-2",)),
        World(service=YOUNG, known={"node-2": OLD}),
        World(service=YOUNG, known={"node-2": OLD}, then=World(service=YOUNG, at=NOW + 8)),
    ],
)
async def test_a_replay_is_exact(world: World) -> None:
    """Healthy, stale, cut, silent, and both kinds of second look; and it can be run over again."""
    ended, data = await run(world)
    assert await replay(data) == ended
    source = BundleSource(unpack(data, query_types()))
    for _ in range(2):
        assert await diagnose(REQUEST, Looker(source, now=lambda: 0.0, wait=False)) == ended


async def test_the_same_looks_give_the_same_bytes() -> None:
    """So that a fixture that is recorded again shows what has changed."""
    assert (await run(STALE))[1] == (await run(STALE))[1]


async def test_a_bundle_can_be_read_without_netdiag() -> None:
    """It is gzip over JSON, with what it is and what was asked."""
    _, data = await run(World())
    file = json.loads(gzip.decompress(data))
    assert file["schema"] == "netdiag.bundle/1"
    assert (file["release"], file["at"], file["target"]["name"]) == ("0.1.0", NOW, "checkout")
    assert {"query": "nodes"} in [one["query"] for one in file["seen"]]


async def test_looks_of_another_release_are_skipped() -> None:
    """They are not recorded for this one; the rest is."""
    _, data = await run(World())
    known = {tag: kind for tag, kind in query_types().items() if tag != "nodes"}
    source = BundleSource(unpack(data, known))
    seen = await source.fetch(Nodes())
    assert seen.missing is not None
    assert seen.missing.reason == "not-recorded"
    assert (await source.fetch(GetService("shop", "checkout"))).value is not None
    assert (await source.fetch(ProxyProcess("node-7"))).node == "node-7"


def changed(data: bytes, **changes: Any) -> bytes:
    """The bundle with something else in its file."""
    return gzip.compress(json.dumps({**json.loads(gzip.decompress(data)), **changes}).encode())


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda _: b"", "cut off"),
        (lambda _: b"hello", "not compressed with gzip"),
        (lambda data: data[:-20], "cut off"),
        (lambda _: gzip.compress(b"{"), "not a netdiag bundle"),
        (lambda _: gzip.compress(b"[]"), "not a netdiag bundle"),
        (lambda data: changed(data, schema="netdiag.bundle/9"), "netdiag.bundle/9"),
        (lambda data: changed(data, seen=[{}]), "A look in this bundle cannot be read"),
        (lambda data: changed(data, seen=[{"query": {"query": "nodes"}, "nth": 1, "seen": {"value": 3}}]), "A look in"),
    ],
)
async def test_what_is_no_bundle_is_said(spoil: Any, says: str) -> None:
    """A clear sentence for a wrong file, a cut file, another form."""
    _, data = await run(World())
    with pytest.raises(BadBundle, match=says):
        unpack(spoil(data), query_types())
