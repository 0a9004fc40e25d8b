"""An agent on loopback with real TLS, two callers' keys, and a client: real objects, a clock that tests move."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from workers.agent import probes
from workers.agent.callers import Callers
from workers.agent.host import Host
from workers.agent.identity import Identity
from workers.agent.server import Agent
from workers.collect.nodes import AgentClient
from workers.core.agents import AgentCard
from workers.core.declare import Probe
from workers.core.tokens import Signer

NOW = 1_800_000_000.0
NODE, UID = "node-1", "7e1c0c9a-0000-4000-8000-000000000001"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        """Now, as a Unix time."""
        return self.now


def make_caller(folder: Path, name: str) -> Signer:
    """A new key; its public half is written to `folder/name.pub`."""
    key = Ed25519PrivateKey.generate()
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pub").write_bytes(pem)
    return Signer(key)


class Running(msgspec.Struct):
    """An agent that serves, its card, and the callers it believes."""

    agent: Agent
    card: AgentCard
    look: Signer
    act: Signer
    clock: Clock

    def client(self, **changes: Any) -> AgentClient:
        """A client with the look key; close it."""
        return AgentClient(**{"signer": self.look, "clock": self.clock, **changes})


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts agents; `take` answers in place of a probe's own coroutine, by tag."""
    agents: list[Agent] = []
    folder = tmp_path / "callers"
    folder.mkdir()
    look, act = make_caller(folder, "look-lab"), make_caller(folder, "act-lab")

    async def run(
        *, take: dict[str, Any] | None = None, ready: bool = True, changes: dict[str, Any] | None = None, **more: Any
    ) -> Running:
        clock = Clock()
        catalogue: dict[str, Probe] = probes.load()
        for tag, replacement in (take or {}).items():
            catalogue[tag] = msgspec.structs.replace(catalogue[tag], take=replacement, **(changes or {}))
        agent = Agent(Identity(NODE, now=NOW), Callers(folder), catalogue, host=Host(), clock=clock, **more)
        agents.append(agent)
        port = await agent.start("127.0.0.1", 0)
        if ready:
            agent.node_uid = UID
        card = agent.identity.card(node_uid=UID, address="127.0.0.1", port=port, release="0.0.0")
        return Running(agent=agent, card=card, look=look, act=act, clock=clock)

    yield run
    for agent in agents:
        await agent.stop()
