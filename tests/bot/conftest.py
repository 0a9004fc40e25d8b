"""Fixtures of the bot's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.kit import Kit


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    """The bot's inner parts over a new ledger."""
    made = Kit(tmp_path)
    yield made
    made.ledger.close()
