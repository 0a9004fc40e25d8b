"""Ways to break something and to put it back, from which faults are put together.

Each is an asynchronous context manager: broken inside, as it was afterwards. What a remedy has healed meanwhile is no
error on the way out.
"""

import contextlib
import os
import shlex
import signal
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from tests.lab.api import MERGE
from tests.lab.nodes import batch
from tests.lab.processes import LabError, run

if TYPE_CHECKING:
    from tests.lab.cluster import Lab
    from tests.lab.nodes import Machine, Node


class Runs(Protocol):
    """Where a command can run: a machine, or the underlay."""

    async def exec(self, *argv: str, limit: float = 30) -> str:
        """What the command prints. Raises LabError when it fails."""


class Underlay:
    """The network under the nodes, where no node sees what is dropped: node-2's port of the switch is `v-node-2`."""

    async def exec(self, *argv: str, limit: float = 30) -> str:
        """What a command prints that runs there. Raises LabError when it fails."""
        return await run(*argv, limit=limit)


@contextlib.asynccontextmanager
async def ran(machine: Runs, do: Iterable[str], undo: Iterable[str]) -> AsyncIterator[None]:
    """Run the command `do` in a machine's network, and `undo` afterwards."""
    await machine.exec(*do)
    try:
        yield
    finally:
        with contextlib.suppress(LabError):
            await machine.exec(*undo)


@contextlib.asynccontextmanager
async def ruled(machine: "Machine", chain: str, *rule: str, table: str = "filter") -> AsyncIterator[None]:
    """Put an iptables rule first in a chain of a machine, over the backend that its kube-proxy uses."""
    command = ("iptables", "-w", "-t", table)
    async with ran(machine, (*command, "-I", chain, *rule), (*command, "-D", chain, *rule)):
        yield


@contextlib.asynccontextmanager
async def sysctl(machine: "Machine", key: str, value: str) -> AsyncIterator[None]:
    """Set a kernel parameter of a machine's network."""
    old = (await machine.exec("sysctl", "-n", key)).strip()
    async with ran(machine, ("sysctl", "-qw", f"{key}={value}"), ("sysctl", "-qw", f"{key}={old}")):
        yield


@contextlib.asynccontextmanager
async def patched(lab: "Lab", path: str, body: Mapping[str, Any]) -> AsyncIterator[None]:
    """Apply a JSON merge patch (RFC 7396) to the object at an API path; only what it changes is put back."""
    old = await lab.admin.call("GET", path)
    await lab.admin.call("PATCH", path, dict(body), kind=MERGE)
    try:
        yield
    finally:
        await lab.admin.call("PATCH", path, inverse(body, old), kind=MERGE)


def inverse(patch: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that takes `patch` back; `old` is the object before it."""
    back: dict[str, Any] = {}
    for key, value in patch.items():
        was = old.get(key)
        back[key] = inverse(value, was) if isinstance(value, Mapping) and isinstance(was, Mapping) else was
    return back


@contextlib.asynccontextmanager
async def stopped(pids: Iterable[int]) -> AsyncIterator[None]:
    """Freeze processes (SIGSTOP)."""
    frozen = list(pids)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def unruled(machine: Runs, chain: str, *rule: str, table: str = "filter") -> AsyncIterator[None]:
    """Take an iptables rule out of a chain; it is last in it afterwards, unless somebody has put it back."""
    command, words = f"iptables -w -t {table}", shlex.join((chain, *rule))
    undo = f"{command} -C {words} || {command} -A {words}"
    async with ran(machine, ("sh", "-c", f"{command} -D {words}"), ("sh", "-c", undo)):
        yield


@contextlib.asynccontextmanager
async def filtered(machine: Runs, table: str, **hooks: tuple[str, ...]) -> AsyncIterator[None]:
    """Add an nftables table (`inet corpfw`) that filters at some hooks, each with its rules."""
    async with ran(machine, ("nft", nft_text(table, hooks)), ("nft", f"delete table {table}")):
        yield


def nft_text(table: str, hooks: Mapping[str, tuple[str, ...]]) -> str:
    """The table as `nft` reads it; before what kube-proxy filters, after its DNAT (priorities 0 and -100)."""
    lines = [f"table {table} {{"]
    for hook, rules in hooks.items():
        lines += [f"chain {hook} {{", f"type filter hook {hook} priority -10;", *rules, "}"]
    return "\n".join((*lines, "}"))


@contextlib.asynccontextmanager
async def unrouted(node: "Node", others: Iterable["Node"]) -> AsyncIterator[None]:
    """Take away a node's routes to the pods of others."""
    routes = [f"{other.pod_cidr} via {other.address}" for other in others]
    await batch(node.name, *(f"route delete {route}" for route in routes))
    try:
        yield
    finally:
        await batch(node.name, *(f"route replace {route}" for route in routes))


@contextlib.asynccontextmanager
async def packet_by_packet(machines: Iterable[Runs]) -> AsyncIterator[None]:
    """Send no packets in batches: veth lets a batch (TSO, GSO) pass however small the MTU, and no real cable does."""
    async with contextlib.AsyncExitStack() as stack:
        for machine in machines:
            off, on = (("ethtool", "-K", "eth0", "tso", word, "gso", word) for word in ("off", "on"))
            await stack.enter_async_context(ran(machine, off, on))
        yield
