"""The lab leaves nothing behind, however it ends."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180), pytest.mark.usefixtures("lab_namespaces")]

KINDS = ("net", "mnt", "pid")
LAB = """
import asyncio
from tests.lab.cluster import Lab

async def main():
    async with Lab() as lab:
        print("up", flush=True)
        await asyncio.sleep(300)

asyncio.run(main())
"""


def _mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def _namespace(pid: int | str, kind: str) -> int:
    return Path(f"/proc/{pid}/ns/{kind}").stat().st_ino


def _namespaces_below(outer: int) -> dict[str, set[int]]:
    inside = _descendants(outer)[1:]
    return {kind: {_namespace(pid, kind) for pid in inside} - {_namespace("self", kind)} for kind in KINDS}


def _descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(one for child in children for one in _descendants(child))]


def _processes_in(namespaces_: dict[str, set[int]]) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(_namespace(process.name, kind) in numbers for kind, numbers in namespaces_.items()):
                found.append((process / "cmdline").read_text().replace("\0", " ")[:80])
        except OSError:  # it has ended meanwhile
            continue
    return found


async def test_kill_9_leaves_no_process_no_namespace_and_no_mount() -> None:
    """SIGKILL to the one process outside ends everything inside."""
    mounts = _mounts()
    argv = [sys.executable, "-m", "tests.lab", "in", "--", sys.executable, "-c", LAB]
    outer = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert outer.stdout is not None
    assert await asyncio.wait_for(outer.stdout.readline(), 100) == b"up\n"

    theirs = _namespaces_below(outer.pid)
    assert len(theirs["net"]) >= 3, "the lab's own network, and one for every node and pod that has a process"
    assert _processes_in(theirs)

    os.kill(outer.pid, signal.SIGKILL)
    await outer.wait()
    for _ in range(50):
        left = _processes_in(theirs)
        if not left:
            break
        await asyncio.sleep(0.1)
    assert left == []
    assert _mounts() == mounts
