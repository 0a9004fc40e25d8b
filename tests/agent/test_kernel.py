"""Probes against the real kernel, in namespaces of their own."""

import asyncio
import functools
import os
import shutil
import subprocess
from typing import Any

import msgspec
import pytest

from tests.agent.ruleset import KUBE_CHAINS, TOTAL, expected_for_checkout, rules
from tests.agent.scenes import UNSHARE, command

pytestmark = pytest.mark.kernel
BOTH = ("iptables-nft-save", "iptables-legacy-save", "nft", "ip")


@functools.cache
def missing(program: str) -> str:
    """Why this cannot be run here, or "" (tried, not guessed)."""
    if os.geteuid():
        return "root"
    if not shutil.which(program):
        return program
    if subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode:
        return "namespaces"
    if program == "iptables-legacy-save":
        tried = subprocess.run([*UNSHARE, "iptables-legacy", "-t", "nat", "-L"], check=False, capture_output=True)
        return "iptables-legacy in the kernel" if tried.returncode else ""
    return ""


async def scene(name: str, needs: tuple[str, ...]) -> dict[str, Any]:
    """What a scene saw; skipped where something is missing, which is a failure in CI."""
    lacks = next(filter(None, map(missing, needs)), "")
    if lacks and os.environ.get("CI"):
        pytest.fail(f"this machine lacks {lacks}, and CI must have it")
    if lacks:
        pytest.skip(f"needs {lacks}")
    process = await asyncio.create_subprocess_exec(
        *command(name), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 50)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    seen: dict[str, Any] = msgspec.json.decode(out)
    return seen


def by_chain(lines: list[str]) -> dict[str, list[str]]:
    """Rules grouped by chain: the two backends print chains in different orders, and rules in one."""
    chains: dict[str, list[str]] = {}
    for rule in rules(lines):
        chains.setdefault(rule.split()[1], []).append(rule)
    return chains


def assert_checkout(seen: dict[str, Any]) -> None:
    """The slice is the one of the text that was loaded."""
    for table, expected in expected_for_checkout().items():
        assert by_chain(seen["tables"][table]) == by_chain(expected)
    assert (seen["total"], seen["kube_chains"]) == (TOTAL, KUBE_CHAINS)
    assert ":FORWARD DROP [0:0]" in seen["tables"]["filter"]


async def test_rules_of_iptables_nft() -> None:
    """Found; and no table of iptables-legacy comes into being by looking."""
    seen = await scene("rules_nft", BOTH)
    assert_checkout(seen)
    assert (seen["backend"], seen.get("other_backend", False), seen["legacy"]) == ("iptables-nft", False, "")


async def test_rules_of_iptables_legacy() -> None:
    """Found as well, and iptables-nft has none."""
    seen = await scene("rules_legacy", BOTH)
    assert_checkout(seen)
    assert (seen["backend"], seen.get("other_backend", False)) == ("iptables-legacy", False)


async def test_rules_of_both() -> None:
    """kube-proxy's are shown, the other's existence is told."""
    seen = await scene("rules_both", BOTH)
    assert_checkout(seen)
    assert (seen["backend"], seen["other_backend"]) == ("iptables-legacy", True)


async def test_a_clean_namespace_stays_clean() -> None:
    """Neither backend has a table after the look."""
    seen = await scene("rules_clean", BOTH)
    assert (seen["backend"], seen["legacy"], seen["nft"]) == ("none", "", "")


async def test_every_fate_of_a_connection() -> None:
    """As the kernel tells them apart."""
    seen = await scene("connections", ("iptables-nft-save", "ip"))
    states = {name: reached["state"] for name, reached in seen.items()}
    assert states == {
        "open": "open",
        "closed": "refused",
        "silent": "timeout",
        "reject": "refused",
        "blackhole": "unreachable",
        "prohibit": "unreachable",
        "unreachable": "unreachable",
        "no route": "unreachable",
    }


async def test_kube_proxy_in_all_its_states() -> None:
    """Its process in this namespace only, what it answers, and its way to the API server."""
    seen = await scene("proxy_states", ("iptables-nft-save", "ip"))
    assert (seen["none"]["pid"], seen["none"]["healthz"]["state"]) == (0, "refused")
    assert seen["elsewhere"]["pid"] == 0
    ours = seen["ours"]
    assert (ours["pid"], ours["server"]) == (ours["right"], "https://10.9.9.9:6443")
    assert ours["state"] in {"S", "R"}  # it waits, or is just being woken on a busy machine; it is not stopped
    assert (ours["healthz"]["status"], ours["metrics"]["status"], ours["mode"]) == (200, 200, "iptables")
    assert ours["values"] == {"kubeproxy_sync_proxy_rules_last_timestamp_seconds": 1.7e9}
    stopped = seen["stopped"]
    assert (stopped["pid"], stopped["state"], stopped["started"]) == (ours["pid"], "T", ours["started"])
    assert (stopped["healthz"]["state"], stopped["metrics"]["state"]) == ("timeout", "timeout")
    own, other = seen["api"]["answers"]
    assert (own["address"], own["tcp"], own["tls"], own["status"]) == ("10.9.9.9:6443", "open", True, 401)
    assert (other["address"], other["tcp"]) == ("192.0.2.1:6443", "unreachable")
    assert [answer["tcp"] for answer in seen["api cut"]["answers"]] == ["timeout"]
    assert (seen["killed"]["pid"], seen["killed"]["healthz"]["state"]) == (0, "refused")
