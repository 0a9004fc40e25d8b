"""How does the cluster learn this agent's key, and the agent its node's uid?

Once, at start. It is the only time that an agent talks to the API server, so that a node without that way can still be
asked; and it serves meanwhile.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable

import structlog

from workers.agent.cluster import Registry
from workers.agent.server import Agent
from workers.core.agents import AgentCard
from workers.core.errors import TryAgain

LONGEST_WAIT = 30.0  # seconds between two tries

log = structlog.get_logger()


async def register(
    registry: Registry,
    agent: Agent,
    *,
    listen: str,
    port: int,
    release: str,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    chance: Callable[[], float],
) -> AgentCard:
    """Learn the uid and publish the card; tried until it works. `chance` is between 0 and 1: a cluster's agents
    must not all come back at once.
    """
    wait = 1.0
    while True:
        try:
            facts = await asyncio.to_thread(registry.node, agent.identity.node)
            agent.node_uid = facts.uid
            address = facts.address if ipaddress.ip_address(listen).is_unspecified else listen
            card = agent.identity.card(node_uid=facts.uid, address=address, port=port, release=release)
            await asyncio.to_thread(registry.publish, card)
        except TryAgain as error:
            log.warning("not registered yet", error=str(error), again_in=round(wait, 1))
            await sleep(wait * (0.5 + chance()))
            wait = min(wait * 2, LONGEST_WAIT)
        else:
            log.info("registered", node=card.node, address=card.address, port=card.port, kid=card.kid)
            return card
