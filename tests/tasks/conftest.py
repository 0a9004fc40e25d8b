"""Houses to test in."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tasks.house import House, opened


@pytest.fixture
def house() -> Iterator[House]:
    """A house whose workers a test starts and kills. Its folder's name is short: a socket's may not be long."""
    with tempfile.TemporaryDirectory(prefix="nd-") as folder:
        yield from opened(Path(folder))


@pytest.fixture(scope="module")
def busy() -> Iterator[House]:
    """A house with a look worker and a change worker in it, shared by tests that leave it as it was."""
    with tempfile.TemporaryDirectory(prefix="nd-") as folder:
        for house in opened(Path(folder), took=0.01):
            house.start_worker("look")
            house.start_worker("change")
            yield house
