"""Becomes a container's process: joins a network namespace, mounts the volumes where the pod wants them, and executes.

Run as a script of its own (`python -I -S enter.py SPEC`), so that it starts in a few milliseconds and needs nothing
but the standard library. SPEC is JSON: network (path), mounts ([source, target, readonly]), cgroups (paths), argv,
env, started (a file descriptor that is closed by the execution: whoever reads its other end knows of it).
"""

import contextlib
import ctypes
import json
import os
import stat
import sys
import tempfile
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 0x1, 0x20, 0x1000, 0x4000, 0x80000
MNT_DETACH = 2
CGROUPS = Path("/sys/fs/cgroup")
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raises OSError when a C call has failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: Path | str, target: Path, kind: str, flags: int) -> None:
    """Show `source` at `target`, by the system call of that name; `kind` is a file system's name, or empty."""
    call = LIBC.mount(str(source).encode(), str(target).encode(), kind.encode() or None, flags, None)
    check(call, f"mount {target}")


def move(source: Path, target: Path) -> None:
    """Show at `target` what is mounted at the temporary folder `source`, and only there."""
    mount(source, target, "", MS_BIND | MS_REC)
    check(LIBC.umount2(str(source).encode(), MNT_DETACH), f"umount {source}")
    source.rmdir()


def join_group(folder: Path) -> None:
    """Join a control group, if it can be had: another lab that starts just now may have removed an empty one."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.procs").write_text(str(os.getpid()))


def join(network: str) -> None:
    """Join the network, and leave the mounts of everybody else alone."""
    with Path(network).open() as file:
        check(LIBC.setns(file.fileno(), CLONE_NEWNET), f"setns {network}")
    check(LIBC.unshare(CLONE_NEWNS), "unshare")
    # Slave, not private: a pod's network that is deleted outside must not live on because of our copy of its mount.
    mount("none", Path("/"), "", MS_REC | MS_SLAVE)
    groups = Path(tempfile.mkdtemp(dir="/run"))
    mount(CGROUPS, groups, "", MS_BIND | MS_REC)
    mount("sysfs", Path("/sys"), "sysfs", 0)  # a sysfs shows the network of who mounted it
    move(groups, CGROUPS)


def shadow(folder: Path) -> None:
    """Cover `folder` by a writable copy that shows the same entries, so that mount points can be made in it."""
    staging = Path(tempfile.mkdtemp(dir="/run"))
    mount("tmpfs", staging, "tmpfs", 0)
    staging.chmod(stat.S_IMODE(folder.stat().st_mode))
    for entry in folder.iterdir():
        target = staging / entry.name
        if entry.is_symlink():
            target.symlink_to(entry.readlink())
            continue
        make(target, is_folder=entry.is_dir())
        mount(entry, target, "", MS_BIND | MS_REC)
    move(staging, folder)


def make(target: Path, *, is_folder: bool) -> None:
    """An empty folder or file, as a mount point."""
    (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
    if not is_folder:
        target.touch()


def mount_volume(source: Path, target: Path, *, readonly: bool) -> None:
    """Bind `source` to `target`; the machine's own folders stay as they are."""
    target = target.resolve()
    if not target.exists():
        parent = next(folder for folder in target.parents if folder.is_dir())
        if not parent.is_relative_to("/run"):  # /run is the lab's own
            shadow(parent)
        make(target, is_folder=source.is_dir())
    mount(source, target, "", MS_BIND | MS_REC)
    if readonly:
        mount(source, target, "", MS_BIND | MS_REMOUNT | MS_RDONLY)


def main() -> None:
    """Become the container."""
    spec = json.loads(sys.argv[1])
    for group in spec["cgroups"]:
        join_group(Path(group))
    join(spec["network"])
    for source, target, readonly in sorted(spec["mounts"], key=lambda item: item[1]):
        mount_volume(Path(source), Path(target), readonly=readonly)
    os.set_inheritable(spec["started"], False)
    os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - an argv list; a shell is what we do not want


main()
