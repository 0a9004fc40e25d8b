"""Control groups named after pods, as a kubelet makes them, so that an agent finds a pod's processes by its uid; and
limits on them.

They live in the machine's hierarchies: cgroup v2 wherever it is mounted, and that of v1 for a controller that v2 does
not have (a hybrid machine). They are the one thing that a kill -9 leaves behind: empty folders, which the next lab
removes. A machine that allows none runs the lab all the same, without limits.
"""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterator
from pathlib import Path

from tests.lab.limits import PERIOD, Limits

PREFIX = "netdiag-lab-"
CONTROLLERS = ("cpu", "memory")


@dataclasses.dataclass(frozen=True)
class Hierarchy:
    """A tree of groups. base: where this process may make some; controllers: what can be limited in it."""

    version: int
    base: Path
    controllers: frozenset[str]

    @property
    def root(self) -> Path:
        """This lab's folder in it. The network namespace's number is a lab's own while it lives."""
        return self.base / f"{PREFIX}{Path('/proc/self/ns/net').stat().st_ino}"


def hierarchies(mounts: str, own: str) -> list[Hierarchy]:
    """The trees of this machine, by the text of /proc/mounts and of /proc/self/cgroup: v2 first.

    A group of v1 is made below this process's own, so that whatever holds for us holds for the lab.
    """
    found = [_v2(Path(where)) for _, where, kind, *_ in map(str.split, mounts.splitlines()) if kind == "cgroup2"][:1]
    limited = found[0].controllers if found else frozenset()
    groups = {
        name: path for _, names, path in (line.split(":", 2) for line in own.splitlines()) for name in names.split(",")
    }
    for _, where, kind, options, *_ in map(str.split, mounts.splitlines()):
        here = frozenset(options.split(",")) & (frozenset(CONTROLLERS) - limited)
        if kind == "cgroup" and here:
            below = Path(where, groups.get(min(here), "/").lstrip("/"))
            found.append(Hierarchy(1, below if below.is_dir() else Path(where), here))
    return found


def _v2(mount: Path) -> Hierarchy:
    has: set[str] = set()
    with contextlib.suppress(OSError):
        has = set((mount / "cgroup.controllers").read_text().split())
    return Hierarchy(2, mount, frozenset(has) & frozenset(CONTROLLERS))


@functools.cache
def _here() -> tuple[Hierarchy, ...]:
    found = hierarchies(Path("/proc/mounts").read_text(), Path("/proc/self/cgroup").read_text())
    return tuple(tree for tree in found if os.access(tree.base, os.W_OK))


def create_roots() -> frozenset[str]:
    """Make this lab's folders; the controllers that can limit (`cpu`, `memory`), and `v2` where pods can be found."""
    can: set[str] = set()
    for tree in _here():
        for old in tree.base.glob(f"{PREFIX}*"):
            if old != tree.root and not _occupied(old):
                _remove(old)
        with contextlib.suppress(OSError):
            tree.root.mkdir(exist_ok=True)
            can |= {"v2"} if tree.version == 2 else set()
            _pass_on(tree, tree.base)
            _pass_on(tree, tree.root)
            can |= tree.controllers
            if tree.version == 1 and "cpu" in tree.controllers:
                # A group weighs as much as one process otherwise, and all of the lab's limited pods are in this one.
                (tree.root / "cpu.shares").write_text(str(1024 * (os.cpu_count() or 1)))
    return frozenset(can)


def remove_roots() -> None:
    """This lab has ended."""
    for tree in _here():
        _remove(tree.root)


def _occupied(root: Path) -> bool:
    """Is a process in it? One of another PID namespace is listed as 0."""
    for file in root.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            if file.read_text().strip():
                return True
    return False


def _remove(root: Path) -> None:
    """Remove a group and those within, as far as they are empty: a group with processes refuses."""
    for folder, _, _ in os.walk(root, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _pass_on(tree: Hierarchy, folder: Path) -> None:
    """Let the groups in `folder` have limits: in v2 that has to be said at every level."""
    if tree.version == 2 and tree.controllers:
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(tree.controllers)))


def pod_path(uid: str, quality: str) -> str:
    """Where a pod's group is below the lab's folder, in the names that systemd has a kubelet use. quality: its QoS
    class.
    """
    name = uid.replace("-", "_")
    if quality == "Guaranteed":
        return f"kubepods.slice/kubepods-pod{name}.slice"
    part = f"kubepods-{quality.lower()}"
    return f"kubepods.slice/{part}.slice/{part}-pod{name}.slice"


def create(path: str, limits: Limits, *, of_pod: bool = False) -> list[Path]:
    """Make the group `path` with these limits; the folders whose `cgroup.procs` a process joins it by.

    In v1 a group is made only where there is something to limit.
    """
    made = []
    for tree in _here():
        if not tree.root.is_dir() or (tree.version == 1 and not _wants(tree, limits)):
            continue
        folder = tree.root
        with contextlib.suppress(OSError):
            for part in Path(path).parts:
                folder /= part
                folder.mkdir(exist_ok=True)
                if of_pod or folder != tree.root / path:
                    _pass_on(tree, folder)
            made.append(folder)
            for name, value in _settings(tree, limits):
                (folder / name).write_text(value)
    return made


def _wants(tree: Hierarchy, limits: Limits) -> bool:
    return any(getattr(limits, name) is not None for name in tree.controllers)


def _settings(tree: Hierarchy, limits: Limits) -> Iterator[tuple[str, str]]:
    """File and value, in the order in which they must be written."""
    v2 = tree.version == 2
    if "cpu" in tree.controllers and limits.cpu is not None:
        yield from (
            [("cpu.max", f"{limits.cpu} {PERIOD}")]
            if v2
            else [
                ("cpu.cfs_period_us", str(PERIOD)),
                ("cpu.cfs_quota_us", str(limits.cpu)),
            ]
        )
    if "memory" in tree.controllers and limits.memory is not None:
        size = str(limits.memory)
        # What is over the limit must not go to the machine's swap.
        yield from (
            [("memory.max", size), ("memory.swap.max", "0")]
            if v2
            else [
                ("memory.limit_in_bytes", size),
                ("memory.memsw.limit_in_bytes", size),
            ]
        )


def oom_kills(path: str) -> int:
    """How many processes of a group the kernel has killed for its memory limit."""
    for tree in _here():
        file = tree.root / path / ("memory.events" if tree.version == 2 else "memory.oom_control")
        if "memory" in tree.controllers and file.exists():
            facts = dict(line.split() for line in file.read_text().splitlines())
            return int(facts.get("oom_kill", 0))
    return 0


def remove(path: str) -> None:
    """The pod or container has ended."""
    for tree in _here():
        _remove(tree.root / path)
