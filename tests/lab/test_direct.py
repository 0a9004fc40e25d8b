"""Direct mode: `netdiag svc checkout` and `kubectl netdiag svc checkout`, by a kubeconfig that may only look."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab import workloads
from tests.lab.cluster import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]
SCRIPTS = Path(sys.executable).parent


async def ask(lab: Lab, *argv: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report of a command that is found by PATH."""
    env = {**os.environ, "PATH": f"{SCRIPTS}:{lab.binaries}:{os.environ['PATH']}"}
    process = await asyncio.create_subprocess_exec(
        *argv, "--json", f"--kubeconfig={lab.kubeconfig('look')}", env=env, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    report: dict[str, Any] = json.loads(out)
    return process.returncode or 0, report


@pytest.mark.parametrize("words", [("netdiag",), ("kubectl", "netdiag")])
async def test_what_only_a_node_could_tell_is_unknown(lab: Lab, words: tuple[str, ...]) -> None:
    """The endpoints are seen in the API; the rules of every node are said to be unknown, and why."""
    code, report = await ask(lab, *words, "svc", "checkout")
    assert (code, report["verdict"], report["findings"]) == (3, "unknown", [])
    assert report["healthy"] == ["2 of 2 endpoints of checkout are ready"]
    assert {f"the rules on {node}" for node in lab.nodes} <= {one["what"] for one in report["unknown"]}
    assert {one["reason"] for one in report["unknown"]} == {
        "only the API server is asked; agents answer netdiag's own workers"
    }


async def test_no_endpoints_are_seen_without_an_agent(lab: Lab) -> None:
    """What the API server knows is a finding as ever."""
    await workloads.scale(lab, 0)
    try:
        code, report = await ask(lab, "netdiag", "svc", "shop/checkout")
    finally:
        await workloads.scale(lab, 2)
        await lab.healthy()
    assert [one["id"] for one in report["findings"]] == ["svc-no-ready-endpoints"]
    assert code == 3  # an empty Service is for information, and the rules were not seen
