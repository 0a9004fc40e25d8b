"""How does the lab stay alone, and how does all of it go away, even on kill -9?

`enter` becomes `unshare`, which becomes the parent of a new network, mount and process namespace. The kernel kills its
first process when unshare dies, every other process with that one, and the mounts and networks with the last process.
Inside, a small first process sets up /run and reaps orphans, as any first process must.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

INSIDE = "NETDIAG_LAB_INSIDE"
MARK = Path("/run/netdiag-lab")
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")


def inside() -> bool:
    """Is this process inside the lab's own namespaces?"""
    return os.environ.get(INSIDE) == "1" and MARK.is_dir()


def enter(argv: list[str]) -> None:
    """Replace this process by `argv`, run inside fresh namespaces. Returns only by raising."""
    if shutil.which(UNSHARE[0]) is None:
        raise FileNotFoundError("unshare is missing (Debian package util-linux)")
    first = [sys.executable, "-m", "tests.lab", "first", "--", *argv]
    os.execvp(UNSHARE[0], [*UNSHARE, *first])  # noqa: S606 - an argv list; a shell is what we do not want


def first_process(argv: list[str]) -> int:
    """Be process 1: set up, run `argv`, reap whatever is orphaned until it ends; its exit code."""
    _set_up()
    with subprocess.Popen(argv, env={**os.environ, INSIDE: "1"}) as child:
        # The terminal's Ctrl-C reaches the child by itself; a SIGTERM has to be handed on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
        return _reap_until(child)


def _reap_until(child: "subprocess.Popen[bytes]") -> int:
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _set_up() -> None:
    if os.getpid() != 1:
        raise RuntimeError("`first` is started by `in`, as the first process of its namespace")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    MARK.mkdir()
    Path("/run/netns").mkdir()
    Path("/run/lock").mkdir()
    # `ip netns` wants its folder shared; done once here, so that two first calls at once do not race for it.
    subprocess.run(["mount", "--bind", "/run/netns", "/run/netns"], check=True)
    subprocess.run(["mount", "--make-shared", "/run/netns"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
