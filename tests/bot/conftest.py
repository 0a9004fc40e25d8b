"""Fixtures of the bot's tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

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
