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


@pytest.fixture(scope="session")
def lab_namespaces(request: pytest.FixtureRequest) -> None:
    """This session runs inside the lab's namespaces; else the test is skipped, or fails in CI's lab tier."""
    if not namespaces.inside():
        if os.environ.get("CI") and request.config.getoption("markexpr") in {"lab", "alone"}:
            pytest.fail(HOW)
        pytest.skip(HOW)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab(
    request: pytest.FixtureRequest,
    lab_namespaces: None,  # noqa: ARG001 - a fixture cannot be marked to use another one
) -> AsyncIterator[Lab]:
    """A healthy cluster of three nodes, in the default cell. Whoever breaks it recovers it."""
    async with Lab() as started:
        yield started
        if request.session.testsfailed:
            started.print_logs()
