"""Ways to break something and to put it back, from which faults are put together.

Each is an asynchronous context manager: broken inside, as it was afterwards. What a remedy has healed meanwhile is no
error on the way out.
"""

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tests.lab import workloads
from tests.lab.api import MERGE
from tests.lab.nodes import batch
from tests.lab.processes import LabError, run, until

if TYPE_CHECKING:
    from tests.lab.cluster import Lab
    from tests.lab.nodes import Machine, Node

SERVICE = "/api/v1/namespaces/shop/services/checkout"
KUBE_PROXY_CONFIG = "/api/v1/namespaces/kube-system/configmaps/kube-proxy"
LEADS_TO = re.compile(r'"shop/checkout:http -> ([0-9.]+):')
KUBE_PROXIES = "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-proxy"


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
async def scaled(lab: "Lab", replicas: int) -> AsyncIterator[int]:
    """Run so many checkouts, and wait until every node's rules lead to just these; yields how many there were, and
    brings them back.
    """
    old: int = (await lab.admin.call("GET", workloads.SHOP))["spec"]["replicas"]
    try:
        await workloads.scale(lab, replicas)
        await _until_led_to_all(lab)
        yield old
    finally:
        await workloads.scale(lab, old)


async def _until_led_to_all(lab: "Lab") -> None:
    """Wait until no node leads to a pod that has ended: a client that meets it times out, whatever is tried."""
    pods = {pod.address for pod in await lab.pods()}

    async def led() -> bool:
        saved = await asyncio.gather(*(node.exec("iptables-save", "-t", "nat") for node in lab.nodes.values()))
        return all(set(LEADS_TO.findall(text)) == pods for text in saved)

    if pods:
        await until("every node leads to checkout's pods only", led, limit=20)


async def until_all(lab: "Lab", answer: str) -> None:
    """Wait until somebody outside gets this answer at every node."""
    await lab.until_answers(dict.fromkeys(lab.nodes, answer))


async def until_only(lab: "Lab", node: str, answer: str) -> None:
    """Wait until somebody outside gets this answer at one node, and is served by all others."""
    await lab.until_answers({**dict.fromkeys(lab.nodes, "200"), node: answer})


async def until_gets(
    lab: "Lab", machine: "Machine", address: str, *wanted: str, port: int = workloads.NODE_PORT, limit: float = 20
) -> None:
    """Wait until a client on `machine` gets one of the `wanted` answers. Raises LabError when it does not."""

    async def holds() -> bool:
        got = await lab.truth(machine).get(address, port, limit=0.5)
        if got not in wanted:
            raise LabError(f"it gets {got}")
        return True

    await until(f"{machine.name} gets {' or '.join(wanted)} at {address}:{port}", holds, limit=limit)


@contextlib.asynccontextmanager
async def missing_endpoints(
    lab: "Lab", node: str, deaf: AbstractAsyncContextManager[None], *, answer: str = "refused"
) -> AsyncIterator[None]:
    """Let `deaf` keep a node's kube-proxy from a change: checkout's endpoints come inside, and the node goes on to
    answer as before. Afterwards that kube-proxy is started anew: its own next try may be half a minute away.
    """
    async with kube_proxies_renewed(lab, node), scaled(lab, 0) as replicas:
        await until_all(lab, "refused")
        async with deaf:
            await workloads.scale(lab, replicas)
            await until_only(lab, node, answer)
            yield


@contextlib.asynccontextmanager
async def kube_proxies_renewed(lab: "Lab", *nodes: str) -> AsyncIterator[None]:
    """Afterwards start kube-proxy anew on `nodes`, and wherever it was started inside: it may have read a broken
    configuration. To be entered before what breaks that.
    """
    before = await _kube_proxies(lab)
    try:
        yield
    finally:
        after = await _kube_proxies(lab)
        touched = [node for node in lab.nodes if node in nodes or after.get(node) != before[node]]
        await asyncio.gather(*(workloads.restart_kube_proxy(lab, node) for node in touched))


async def _kube_proxies(lab: "Lab") -> dict[str, str]:
    """Node -> UID of the kube-proxy pod there."""
    pods = (await lab.admin.call("GET", KUBE_PROXIES))["items"]
    return {pod["spec"]["nodeName"]: pod["metadata"]["uid"] for pod in pods}


async def start_anew(lab: "Lab", node: str) -> None:
    """Delete kube-proxy's pod on a node, and do not wait for the next one: it may never be ready."""
    chosen = ("-lk8s-app=kube-proxy", f"--field-selector=spec.nodeName={node}")
    await lab.kubectl("-n", "kube-system", "delete", "pod", *chosen)


@contextlib.asynccontextmanager
async def configured(lab: "Lab", node: str, **settings: Any) -> AsyncIterator[None]:
    """Change kube-proxy's ConfigMap and start only this node's anew: the others go on with what they have read."""
    config = (await lab.admin.call("GET", KUBE_PROXY_CONFIG))["data"]["config.conf"]
    changed = {"data": {"config.conf": with_settings(config, settings)}}
    async with kube_proxies_renewed(lab), patched(lab, KUBE_PROXY_CONFIG, changed):
        await start_anew(lab, node)
        yield


def with_settings(config: str, settings: Mapping[str, Any]) -> str:
    """YAML with other values for these top-level keys, each of which has at most one line."""
    kept = [line for line in config.splitlines() if line.partition(":")[0] not in settings]
    return "\n".join([*kept, *(f"{key}: {json.dumps(value)}" for key, value in settings.items()), ""])


@contextlib.asynccontextmanager
async def wrapped(node: "Node", command: str, do: str, *, when: str = "*") -> AsyncIterator[None]:
    """Let a node's kube-proxy and agent find a shell script as `command`, which does `do` before the real one when
    its arguments match the shell pattern `when`. Asked for its version it tells the truth.
    """
    with _script_before(node, command, f'case "$*" in\n*--version*) ;;\n{when}) {do} ;;\nesac'):
        yield


@contextlib.contextmanager
def _script_before(node: "Node", command: str, script: str) -> Iterator[None]:
    path = Path(node.path, command)
    found = shutil.which(command, path=f"{node.path}:{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        raise LabError(f"{command} is missing on {node.name}")
    real = path.with_name("real") / command  # the same name: one binary is many commands
    real.parent.mkdir(exist_ok=True)
    real.symlink_to(Path(found).resolve())
    was_there = path.is_symlink()
    draft = path.with_name(f"{command}.new")
    draft.write_text(f'#!/bin/sh\n{script}\nexec {real} "$@"\n')
    draft.chmod(0o755)
    draft.replace(path)
    try:
        yield
    finally:
        if was_there:
            real.replace(path)
        else:
            path.unlink()
            real.unlink()


def pids_of(command: str) -> list[int]:
    """Processes of the lab with that name, wherever their network is. The lab has a PID namespace of its own."""
    named = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if comm.read_text().strip() == command[:15]:
                named.append(int(comm.parent.name))
    return named


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
