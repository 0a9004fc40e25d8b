"""The lab as a fixture: one cluster for a whole session of tests.

Tests marked `lab` run inside the lab's own namespaces: `.venv/bin/python -m tests.lab in -- .venv/bin/pytest -m lab`.
"""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab import namespaces
from tests.lab.cluster import Lab

HOW = "runs inside the lab's namespaces: .venv/bin/python -m tests.lab in -- .venv/bin/pytest -m lab"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    """A healthy cluster of two nodes. Whoever breaks it recovers it."""
    if not namespaces.inside():
        if os.environ.get("CI") and request.config.getoption("markexpr") == "lab":
            pytest.fail(HOW)
        pytest.skip(HOW)
    async with Lab() as started:
        yield started
        if request.session.testsfailed:
            started.print_logs()
