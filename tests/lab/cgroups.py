"""Control groups named after pods, as a kubelet makes them, so that an agent finds a pod's processes by its uid.

They live in the machine's hierarchy and are the one thing that a kill -9 leaves behind: empty folders, which the next
lab removes. A machine that allows none runs the lab all the same.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PREFIX = "netdiag-lab-"
ENVIRONMENT = "NETDIAG_LAB_CGROUP"


def create_root() -> Path | None:
    """A folder for this lab, in the cgroup v2 hierarchy; None where that cannot be had."""
    mount = _mount()
    if mount is None:
        return None
    for old in mount.glob(f"{PREFIX}*"):
        remove_tree(old)
    # The network namespace's number is this lab's own while it lives.
    root = mount / f"{PREFIX}{Path('/proc/self/ns/net').stat().st_ino}"
    with contextlib.suppress(OSError):
        root.mkdir(exist_ok=True)
        return root
    return None


def remove_tree(root: Path) -> None:
    """Remove a group and those within, as far as they are empty: a group with processes refuses."""
    for folder, _, _ in os.walk(root, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def of_pod(uid: str) -> str:
    """The new group of a pod; empty where there are none."""
    root = os.environ.get(ENVIRONMENT)
    folder = Path(root, "kubepods.slice", _slice(uid), "cri-containerd-lab.scope") if root else None
    if folder is None:
        return ""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)
    return ""


def remove_pod(uid: str) -> None:
    """The pod has ended."""
    if root := os.environ.get(ENVIRONMENT):
        remove_tree(Path(root, "kubepods.slice", _slice(uid)))


def _slice(uid: str) -> str:
    return f"kubepods-pod{uid.replace('-', '_')}.slice"


def _mount() -> Path | None:
    return next(_mounts(), None)


def _mounts() -> Iterator[Path]:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(where, os.W_OK):
            yield Path(where)
