"""The small API server, and the product's client for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.server import FakeServer, api_for
from workers.collect.cluster.api import Api


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Knows nothing yet: everything is 404."""
    with FakeServer().running() as running:
        yield running


@pytest.fixture
def api(server: FakeServer, tmp_path: Path) -> Iterator[Api]:
    """The look worker's client."""
    api = api_for(server.url, tmp_path)
    yield api
    api.close()
