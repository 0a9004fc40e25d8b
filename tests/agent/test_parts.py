"""The agent's small parts: limits, callers' keys, the catalogue of probes, registration, the command itself."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tests.agent.conftest import NODE, NOW, UID, Start, make_caller
from workers.agent import cluster as cluster_module
from workers.agent import probes
from workers.agent.callers import Callers
from workers.agent.cluster import Cluster, Facts, InChild, Registry, Settings
from workers.agent.limits import Nonces, Rate, Turns
from workers.agent.registration import register
from workers.collect.nodes import AgentClient
from workers.core.agents import AgentCard, card_from_json
from workers.core.declare import Probe
from workers.core.errors import BadDeclaration, TryAgain, TypedWrongly
from workers.core.evidence.kube_proxy import ProxyPods
from workers.core.evidence.reach import Connect


def test_a_nonce_is_used_once_as_long_as_it_counts() -> None:
    """Afterwards its token is worth nothing, so it need not be remembered."""
    nonces = Nonces()
    assert nonces.use("a", until=10, now=0)
    assert not nonces.use("a", until=10, now=10)
    assert nonces.use("a", until=20, now=11)


def test_full_memory_refuses_rather_than_forgets() -> None:
    """And has room again when old nonces have ended."""
    nonces = Nonces(most=2)
    assert nonces.use("a", until=10, now=0)
    assert nonces.use("b", until=20, now=0)
    with pytest.raises(TryAgain):
        nonces.use("c", until=20, now=5)
    assert not nonces.use("b", until=20, now=5)
    assert nonces.use("c", until=20, now=11)


def test_a_rate_lets_a_burst_through_and_then_a_trickle() -> None:
    """Time that goes backwards gives nothing."""
    rate = Rate(per_second=2.0, burst=3)
    assert [rate.allow(100.0) for _ in range(4)] == [True, True, True, False]
    assert [rate.allow(100.5), rate.allow(100.5), rate.allow(99.0)] == [True, False, False]
    assert [rate.allow(200.0) for _ in range(4)] == [True, True, True, False]


async def test_turns_are_given_back() -> None:
    """Also when what they were for failed or was cancelled while it waited."""
    turns = Turns(running=1, waiting=1)

    async def wait() -> None:
        async with turns.turn():
            await asyncio.sleep(30)

    first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(TryAgain):
        async with turns.turn():
            pass
    for task in (second, first):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    async with turns.turn():
        assert turns.taken == 1
    assert turns.taken == 0


def test_callers_are_told_apart(tmp_path: Path) -> None:
    """By the names of their files; other files are left alone."""
    look, act = make_caller(tmp_path, "look-lab"), make_caller(tmp_path, "act-lab")
    make_caller(tmp_path, "bot")
    callers = Callers(tmp_path)
    assert callers.kinds == {look.kid: "look", act.kid: "act"}
    token = act.token("probe", {}, now=NOW, ttl=30)
    assert callers.claims(token, now=NOW)[0] == f"act {act.kid}"


def test_without_callers_there_is_no_agent(tmp_path: Path) -> None:
    """It could only refuse."""
    with pytest.raises(TypedWrongly, match=r"no look-\*\.pub"):
        Callers(tmp_path)


def test_a_callers_key_that_is_none_is_named(tmp_path: Path) -> None:
    """Nonsense, or a key of another kind: the message has the file."""
    (tmp_path / "look-a.pub").write_text("nonsense")
    with pytest.raises(TypedWrongly, match=r"look-a\.pub"):
        Callers(tmp_path)
    key = generate_private_key(SECP256R1()).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "look-a.pub").write_bytes(pem)
    with pytest.raises(TypedWrongly, match="Ed25519"):
        Callers(tmp_path)


def test_every_probe_is_found() -> None:
    """A file in the folder is all that it takes."""
    folder = Path(probes.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {tag.replace("-", "_") for tag in probes.load()} == files


async def nothing(*_: Any) -> None:
    """Takes no look."""


@pytest.mark.parametrize(
    ("name", "probe", "message"),
    [
        ("connect", None, r"connect\.py does not end with PROBE"),
        ("connects", Probe(Connect, nothing), r"must be named connect\.py"),
        ("kube_proxy_pods", Probe(ProxyPods, nothing), "not asked of a node"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_declaration_names_its_file(name: str, probe: Probe | None, message: str) -> None:
    """So that whoever wrote it knows where to look."""
    with pytest.raises(BadDeclaration, match=message):
        probes.checked([(name, probe)])


class Forgetful:
    """A Registry that fails some times before it works."""

    def __init__(self, node_fails: int, publish_fails: int, address: str = "10.0.0.11") -> None:
        self.fails = {"node": node_fails, "publish": publish_fails}
        self.address = address
        self.published: list[AgentCard] = []

    def _try(self, what: str) -> None:
        if self.fails[what]:
            self.fails[what] -= 1
            raise TryAgain("away")

    def node(self, name: str) -> Facts:
        """The node, perhaps."""
        assert name == NODE
        self._try("node")
        return Facts(uid=UID, address=self.address)

    def publish(self, card: AgentCard) -> None:
        """Keep it, perhaps."""
        self._try("publish")
        self.published.append(card)


async def test_registration_is_tried_until_it_works(start: Start) -> None:
    """More and more slowly, and never all agents at the same moment; as soon as the uid is known it is ready."""
    running = await start(ready=False)
    waits: list[float] = []
    ready: list[bool] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        ready.append(bool(running.agent.node_uid))

    registry = Forgetful(node_fails=3, publish_fails=4)
    card = await register(
        registry, running.agent, listen="10.0.0.5", port=9733, release="1", sleep=sleep, chance=lambda: 0.5
    )
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert ready == [False, False, False, True, True, True, True]
    assert registry.published == [card]
    assert (card.node_uid, card.address, card.port, card.kid) == (UID, "10.0.0.5", 9733, running.card.kid)


@pytest.mark.parametrize("listen", ["0.0.0.0", "::"])
async def test_a_wildcard_is_not_an_address(start: Start, listen: str) -> None:
    """The card then names the node's own, as the API server has it."""
    running = await start(ready=False)
    card = await register(Forgetful(0, 0), running.agent, listen=listen, port=1, release="1", chance=lambda: 0.5)
    assert card.address == "10.0.0.11"


class ApiServer:
    """As much of an API server as an agent asks for, over HTTP."""

    def __init__(self) -> None:
        self.config_maps: dict[str, dict[str, Any]] = {}
        self.forbidden = False
        self.requests: list[tuple[str, str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        """Nodes, and ConfigMaps of the namespace netdiag."""
        self.requests.append((request.method, request.path))
        if self.forbidden:
            return self.status(403, f'nodes "{NODE}" is forbidden: User "x" cannot get resource "nodes"')
        if request.path == f"/api/v1/nodes/{NODE}":
            addresses = [{"type": "Hostname", "address": "h"}, {"type": "InternalIP", "address": "127.0.0.1"}]
            body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "uid": UID}}
            return web.json_response({**body, "status": {"addresses": addresses}})
        body = await request.json()
        name = body["metadata"]["name"]
        if request.method == "POST" and name in self.config_maps:
            return self.status(409, "already exists")
        self.config_maps[name] = body
        return web.json_response(body)

    @staticmethod
    def status(code: int, message: str) -> web.Response:
        """A Status object."""
        return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[tuple[ApiServer, Path]]:
    """An API server, and a kubeconfig for it."""
    server = ApiServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_bytes(msgspec.json.encode(kubeconfig))
    yield server, path
    await runner.cleanup()


def here(kubeconfig: Path) -> Registry:
    """The client in this process."""
    return Cluster(Settings(str(kubeconfig), "netdiag"))


def in_child(kubeconfig: Path) -> Registry:
    """The client in a child."""
    return InChild(kubeconfig, "netdiag")


Make = Callable[[Path], Registry]
both = pytest.mark.parametrize("make", [here, in_child])


@both
async def test_the_card_becomes_a_config_map(start: Start, api: tuple[ApiServer, Path], make: Make) -> None:
    """Created, or written over an older one; labelled, so that workers find it."""
    server, kubeconfig = api
    card = (await start()).card
    cluster = make(kubeconfig)
    assert await asyncio.to_thread(cluster.node, NODE) == Facts(uid=UID, address="127.0.0.1")
    for release in ("1", "2"):
        await asyncio.to_thread(cluster.publish, msgspec.structs.replace(card, release=release))
    written = server.config_maps[f"netdiag-agent-{NODE}"]
    assert written["metadata"]["labels"] == {"netdiag.io/agent": "true"}
    assert card_from_json(written["data"]["card"]) == msgspec.structs.replace(card, release="2")
    assert server.requests[-1] == ("PUT", f"/api/v1/namespaces/netdiag/configmaps/netdiag-agent-{NODE}")


@both
async def test_an_api_server_that_refuses_or_is_away(
    start: Start, api: tuple[ApiServer, Path], tmp_path: Path, make: Make
) -> None:
    """Both are tried again, with a reason that a person understands."""
    server, kubeconfig = api
    server.forbidden = True
    card = (await start()).card
    for call in (lambda c: c.node(NODE), lambda c: c.publish(card)):
        with pytest.raises(TryAgain, match=r"403.*is forbidden"):
            await asyncio.to_thread(call, make(kubeconfig))
    away = tmp_path / "away"
    away.write_text(kubeconfig.read_text().replace("127.0.0.1:", "127.0.0.1:1"))
    for broken in (away, tmp_path / "absent"):
        with pytest.raises(TryAgain, match="cannot reach the API server"):
            await asyncio.to_thread(make(broken).node, NODE)


def test_a_child_that_hangs_or_breaks_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever became of it, the agent lives on."""
    registry = in_child(tmp_path / "absent")
    monkeypatch.setattr(cluster_module, "__name__", "workers.no_such_module")
    with pytest.raises(TryAgain, match="ended with code 1"):
        registry.node(NODE)
    monkeypatch.setattr(cluster_module, "CHILD", 0.01)
    with pytest.raises(TryAgain, match="no answer within"):
        registry.node(NODE)


async def test_the_command_serves_registers_and_stops(api: tuple[ApiServer, Path], tmp_path: Path) -> None:
    """The real process: settings by environment and options, one JSON line per event, an answer, a clean end."""
    server, kubeconfig = api
    folder = tmp_path / "callers"
    folder.mkdir()
    look = make_caller(folder, "look-lab")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from workers.cli import main; main()", "agent"),
        *("--listen", "127.0.0.1", "--port", "0", "--callers", str(folder)),
        env={**os.environ, "NETDIAG_AGENT_NODE": NODE, "NETDIAG_AGENT_KUBECONFIG": str(kubeconfig)},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    try:
        lines: list[dict[str, Any]] = []
        while not lines or lines[-1]["event"] != "registered":
            lines.append(msgspec.json.decode(await process.stderr.readline()))
        card = card_from_json(server.config_maps[f"netdiag-agent-{NODE}"]["data"]["card"])
        pin = aiohttp.Fingerprint(card.fingerprint)
        url = f"https://127.0.0.1:{card.port}/healthz"
        async with aiohttp.ClientSession() as session, session.get(url, ssl=pin) as response:
            assert await response.text() == "ok"
        client = AgentClient(look, clock=time.time)
        seen = await client.ask(Connect(node=NODE, host="127.0.0.1", port=80), address=card.address, card=card)
        await client.close()
        assert seen.missing
        assert seen.missing.detail == "127.0.0.1 is loopback: probes do not go there"
        process.send_signal(signal.SIGTERM)
        rest = (await asyncio.wait_for(process.stderr.read(), 10)).splitlines()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    events = [line["event"] for line in (*lines, *map(msgspec.json.decode, rest))]
    assert events == ["listening", "registered", "answered", "stopped"]
    assert all(line["node"] == NODE for line in lines)
