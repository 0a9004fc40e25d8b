"""Every fault file is a fault that can be loaded and asked about; and what they are made of puts things back."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.lab import breaking, faults
from tests.lab.nodes import Node
from workers import grammar

SERVICE = {
    "endpointslice-controller-down",
    "etp-local-no-local-endpoint",
    "itp-local-no-local-endpoint",
    "kube-proxy-nodeport-addresses",
    "lb-pending-or-wrong-source-range",
    "long-lived-connection-skew",
    "nodeport-host-firewall",
    "readiness-probe-blocked",
    "rollout-endpoint-lag",
    "svc-named-targetport-missing",
    "svc-no-ready-endpoints",
    "svc-selector-mismatch",
    "svc-targetport-wrong",
}
KUBE_PROXY = {
    "iptables-partial-sync-failure",
    "iptables-version-skew",
    "kube-proxy-apiserver-unreachable",
    "kube-proxy-crash",
    "kube-proxy-hostname-mismatch",
    "kube-proxy-stale-rules",
    "kube-proxy-sync-slow",
    "kube-proxy-wrong-mode",
    "nft-sync-failure",
    "xtables-lock-contention",
}


def test_the_faults_of_a_service_and_of_kube_proxy_can_be_injected() -> None:
    """All of the catalogue's but svc-ipfamily-mismatch, for which the lab would need a second address family."""
    assert set(faults.load()) >= SERVICE | KUBE_PROXY


@pytest.mark.parametrize("identifier", sorted(faults.load()))
def test_a_fault_file_says_what_is_broken_and_what_an_engineer_would_type(identifier: str) -> None:
    """`python -m tests.lab shell --fault ID` shows the first line of its docstring."""
    fault = faults.load()[identifier]
    assert (sys.modules[fault.broken.__module__].__doc__ or "").strip()
    assert grammar.parse(fault.command).target is not None


def test_settings_take_the_place_of_the_lines_of_the_same_keys() -> None:
    """A key that is there twice would be refused by kube-proxy."""
    config = "kind: K\nmode: iptables\nconntrack: {min: 0}\n"
    changed = breaking.with_settings(config, {"mode": "nftables", "nodePortAddresses": ["10.99.0.0/24"]})
    assert changed.splitlines() == [
        "kind: K",
        "conntrack: {min: 0}",
        'mode: "nftables"',
        'nodePortAddresses: ["10.99.0.0/24"]',
    ]


async def _says(*argv: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return process.returncode, out.decode().strip()


@pytest.fixture(params=[True, False], ids=["linked", "found further on"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    """A node with a folder of commands, with and without a link to echo."""
    (tmp_path / "node-1").mkdir()
    if request.param:
        (tmp_path / "node-1" / "echo").symlink_to("/bin/echo")
    return Node("node-1", "172.30.0.11", str(tmp_path / "node-1"), "10.244.1")


def _link(node: Node) -> Path | None:
    path = Path(node.path, "echo")
    return path.resolve() if path.exists() else None


async def test_a_wrapped_command_fails_only_when_it_should_and_is_put_back(node: Node) -> None:
    """Whether the node had a link of its own to it or finds it further on."""
    before, echo = _link(node), f"{node.path}/echo"
    async with breaking.wrapped(node, "echo", "exit 7", when="*fail*"):
        assert await _says(echo, "please", "fail") == (7, "")
        assert await _says(echo, "go", "on") == (0, "go on")
        assert (await _says(echo, "--version", "fail"))[0] == 0
    assert _link(node) == before
