"""Ways to break something and to put it back, from which faults are put together.

Each is an asynchronous context manager: broken inside, as it was afterwards. What a remedy has healed meanwhile is no
error on the way out.
"""

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tests.lab.api import MERGE
from tests.lab.processes import LabError

if TYPE_CHECKING:
    from tests.lab.cluster import Lab
    from tests.lab.nodes import Machine


@contextlib.asynccontextmanager
async def ran(machine: "Machine", do: Iterable[str], undo: Iterable[str]) -> AsyncIterator[None]:
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
