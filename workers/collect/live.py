"""How does a live cluster answer a query: the API server by the query's type, or the node's agent?"""

from collections.abc import Callable
from typing import Self

from workers.collect.cluster import reads
from workers.collect.cluster.answers import Unanswered
from workers.collect.cluster.api import Api
from workers.collect.cluster.objects import Meta, Object
from workers.collect.nodes import AgentClient
from workers.core.agents import DATA_KEY, LABEL, AgentCard, card_from_json, config_map_name
from workers.core.errors import BadDeclaration, NotTrusted, TryAgain
from workers.core.query import Missing, NodeQuery, Query, Seen, T
from workers.core.wire import NAMESPACE

AWAY = frozenset({"unreachable", "timeout"})
API_ONLY = Missing("api-only")


class CardMap(Object, frozen=True):
    """A ConfigMap with an agent's card."""

    metadata: Meta = Meta()
    data: dict[str, str] | None = None


class ApiSource:
    """A Source over the API server alone: what only a node's agent could tell is missing."""

    def __init__(self, api: Api, *, clock: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock

    async def fetch(self, query: Query[T]) -> Seen[T]:
        """The answer, or why there is none. Raises BadDeclaration for a query that nothing answers."""
        at = self._clock()
        if isinstance(query, NodeQuery):
            return Seen(missing=API_ONLY, source="agent", node=query.node, at=at)
        read = reads().get(type(query))
        if read is None:
            raise BadDeclaration(f"no file of workers/collect/cluster answers {type(query).__name__}")
        try:
            value = await read(query, self._api)
        except Unanswered as error:
            return Seen(missing=error.missing, source="api", at=at, took=self._clock() - at)
        return Seen(value=value, source="api", at=at, took=self._clock() - at)


class LiveSource:
    """A Source over one cluster, for one run: the agents' cards are read once, when it is opened."""

    def __init__(
        self,
        api: Api,
        agents: AgentClient,
        cards: dict[str, AgentCard | Missing],
        *,
        clock: Callable[[], float],
        without: Missing | None = None,
    ) -> None:
        self._objects = ApiSource(api, clock=clock)
        self._agents = agents
        self._cards = cards
        self._clock = clock
        self._without = without

    @classmethod
    async def open(cls, api: Api, agents: AgentClient, *, clock: Callable[[], float]) -> Self:
        """Read the cards. Raises TryAgain when the API server is away; without the right to read them, every agent
        is missing for that reason.
        """
        try:
            cards, without = await read_cards(api), None
        except Unanswered as error:
            if error.missing.reason in AWAY:
                raise TryAgain(error.missing.detail) from error
            cards, without = {}, error.missing
        return cls(api, agents, cards, clock=clock, without=without)

    async def fetch(self, query: Query[T]) -> Seen[T]:
        """The answer, or why there is none. Raises BadDeclaration for a query that nothing answers."""
        if isinstance(query, NodeQuery):
            return await self._ask_agent(query)
        return await self._objects.fetch(query)

    async def close(self) -> None:
        """Close the connections to the agents; those to the API server belong to the process."""
        await self._agents.close()

    async def _ask_agent(self, query: NodeQuery[T]) -> Seen[T]:
        card = self._cards.get(query.node) or self._without
        if isinstance(card, AgentCard):
            return await self._agents.ask(query, address=card.address, card=card)
        how = f"kubectl -n {NAMESPACE} get pods -o wide"
        missing = card or Missing("no-agent", f"no agent has published its key for {query.node}: {how}")
        return Seen(missing=missing, source="agent", node=query.node, at=self._clock())


async def read_cards(api: Api) -> dict[str, AgentCard | Missing]:
    """Every agent's card by node name; in place of one that cannot be believed, the reason. Raises Unanswered."""
    found = await api.every(
        f"/api/v1/namespaces/{NAMESPACE}/configmaps",
        CardMap,
        what="the agents' cards",
        select={"labelSelector": f"{LABEL}=true"},
    )
    return {node: _card(one, node) for one in found if (node := _node(one))}


PREFIX = config_map_name("")


def _node(one: CardMap) -> str:
    """The node that the ConfigMap is named after: an admission policy lets an agent write that of its own node only."""
    name = one.metadata.name or ""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""


def _card(one: CardMap, node: str) -> AgentCard | Missing:
    try:
        card = card_from_json((one.data or {}).get(DATA_KEY, ""))
    except NotTrusted as error:
        return Missing("unreadable", f"the card of the agent on {node}: {error}")
    if card.node != node:
        return Missing("not-trusted", f"the card of the agent on {node} speaks of {card.node}")
    return card
