"""The live source: which query goes where, and what is said when there is nobody to ask."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cluster.server import FakeServer, api_for
from workers.collect.cluster.api import Api
from workers.collect.live import LiveSource, read_cards
from workers.collect.nodes import AgentClient
from workers.core.agents import AgentCard
from workers.core.errors import BadDeclaration, TryAgain
from workers.core.evidence.kube_proxy import ProxyProcess
from workers.core.evidence.reach import Connect
from workers.core.evidence.service import GetService, Nodes
from workers.core.query import Query, Seen

CARDS = "/api/v1/namespaces/netdiag/configmaps"
ASKED = GetService("shop", "checkout")


class Agents(AgentClient):
    """Answers for every node, and remembers whom it asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def ask(self, query: Any, *, address: str, card: AgentCard) -> Seen[Any]:
        """No network."""
        self.asked.append((query.node, address))
        return Seen(value=card.kid, source="agent", node=query.node)

    async def close(self) -> None:
        """Nothing is open."""


CARD = AgentCard("node-1", "uid-1", "172.30.0.11", 9733, "a2V5", "kid-1", "00", "0.1.0", 1.0)


def card(name: str, text: str | None) -> dict[str, Any]:
    """A ConfigMap with a card."""
    return {"metadata": {"name": name}, "data": None if text is None else {"card": text}}


def cards(*items: dict[str, Any]) -> dict[str, Any]:
    """A list of ConfigMaps."""
    return {"items": list(items)}


GOOD = msgspec.json.encode(CARD).decode()


async def opened(api: Api) -> tuple[LiveSource, Agents]:
    """A source, and whom it asks."""
    agents = Agents()
    return await LiveSource.open(api, agents, clock=lambda: 5.0), agents


async def test_a_node_query_goes_to_its_agent(server: FakeServer, api: Api) -> None:
    """By the card that was read once, found by its label."""
    server.says(CARDS, cards(card("netdiag-agent-node-1", GOOD)))
    source, agents = await opened(api)
    seen = await asyncio.gather(*(source.fetch(ProxyProcess("node-1")) for _ in range(3)))
    assert agents.asked == [("node-1", "172.30.0.11")] * 3
    assert {one.value for one in seen} == {"kid-1"}
    assert [query["labelSelector"] for _, _, query in server.asked] == ["netdiag.io/agent=true"]
    await source.close()


@pytest.mark.parametrize(
    ("item", "reason", "says"),
    [
        (
            card("netdiag-agent-other", GOOD),
            "no-agent",
            "no agent has published its key for node-1: kubectl -n netdiag",
        ),
        (card("netdiag-agent-node-1", "{}"), "unreadable", "the card of the agent on node-1"),
        (card("netdiag-agent-node-1", None), "unreadable", "the card of the agent on node-1"),
        (card("netdiag-agent-node-1", GOOD.replace('"node-1"', '"node-2"')), "not-trusted", "speaks of node-2"),
        (card("node-1", GOOD), "no-agent", "no agent has published its key"),
    ],
)
async def test_a_node_without_a_believable_card_has_a_reason(
    server: FakeServer, api: Api, item: dict[str, Any], reason: str, says: str
) -> None:
    """And its agent is not asked."""
    server.says(CARDS, cards(item))
    source, agents = await opened(api)
    seen = await source.fetch(Connect("node-1", "10.0.0.1", 80))
    assert seen.missing
    assert (seen.missing.reason, seen.node, seen.source, agents.asked) == (reason, "node-1", "agent", [])
    assert says in seen.missing.detail


async def test_without_the_right_to_read_cards_every_agent_is_missing_for_that(server: FakeServer, api: Api) -> None:
    """The run goes on with what the API server tells."""
    message = (
        'configmaps is forbidden: User "x" cannot list resource "configmaps" in API group "" in the namespace "netdiag"'
    )
    server.refuses(CARDS, 403, message, "Forbidden")
    source, _ = await opened(api)
    seen = await source.fetch(ProxyProcess("node-1"))
    assert seen.missing
    assert seen.missing.detail == "the look role may not list configmaps in namespace netdiag"


async def test_a_cluster_query_is_answered_or_has_its_reason(server: FakeServer, api: Api) -> None:
    """With source and time; an expected failure is no exception."""
    server.says(CARDS, cards())
    source, _ = await opened(api)
    server.says("/api/v1/nodes", {"items": []})
    good, bad = await source.fetch(Nodes()), await source.fetch(ASKED)
    assert (good.value is not None, good.source, good.at) == (True, "api", 5.0)
    assert bad.missing
    assert (bad.value, bad.missing.reason) == (None, "not-found")


async def test_a_query_that_nothing_answers_is_a_wrong_declaration(server: FakeServer, api: Api) -> None:
    """That is a fault of ours."""

    class Stranger(Query[str], frozen=True, tag="stranger"):
        answer = str

    server.says(CARDS, cards())
    source, _ = await opened(api)
    with pytest.raises(BadDeclaration, match="Stranger"):
        await source.fetch(Stranger())


async def test_a_cluster_that_is_away_cannot_be_opened(tmp_path: Path) -> None:
    """So that the run is told at once."""
    with pytest.raises(TryAgain, match="no connection to the API server"):
        await LiveSource.open(api_for("http://127.0.0.1:1", tmp_path), Agents(), clock=lambda: 0.0)


async def test_all_cards_are_read(server: FakeServer, api: Api) -> None:
    """By node name."""
    server.says(CARDS, cards(card("netdiag-agent-node-1", GOOD), card("netdiag-agent-node-2", "x")))
    found = await read_cards(api)
    assert found["node-1"] == CARD
    assert not isinstance(found["node-2"], AgentCard)
