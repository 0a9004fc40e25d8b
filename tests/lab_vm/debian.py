"""Where does the machine's kernel come from? A Debian package that is downloaded and unpacked, never installed."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

META_PACKAGE = "linux-image-cloud-amd64"  # depends on the release's present cloud kernel: small, its modules suffice


class CannotGetError(Exception):
    """The kernel could not be had."""


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel: its image, and the folder `lib/modules/VERSION` with a modules.dep."""

    image: Path
    modules: Path


def cache() -> Path:
    """The folder in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netdiag" / "lab-vm"


def kernel() -> Kernel:
    """The kernel that apt knows, downloaded unless it is there; raises CannotGetError with what was said."""
    package = dependency(_output("apt-cache", "depends", META_PACKAGE))
    folder = cache() / package
    if not folder.is_dir():
        _fill(folder, package)
    return _unpacked(folder)


def dependency(text: str) -> str:
    """The package of the kernel itself, from what `apt-cache depends` says of the meta package."""
    found = re.search(r"^\s+Depends: (linux-image-\S+)$", text, re.MULTILINE)
    if not found:
        raise CannotGetError(f"apt knows no {META_PACKAGE}; run: apt-get update")
    return found[1]


def _unpacked(folder: Path) -> Kernel:
    # Releases with a merged /usr ship usr/lib/modules.
    return Kernel(next(folder.glob("boot/vmlinuz-*")), next(folder.glob("**/lib/modules/*")))


def _fill(folder: Path, package: str) -> None:
    """Fill a folder elsewhere and rename it, so that one of that name is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix="unpacking-", dir=folder.parent))
    try:
        _output("apt-get", "download", package, cwd=temporary)
        (archive,) = temporary.glob("*.deb")
        _output("dpkg-deb", "-x", str(archive), str(temporary))
        archive.unlink()
        modules = _unpacked(temporary).modules
        # modules.dep is made when a kernel package is installed; this one never is.
        _output("busybox", "depmod", "-b", str(modules.parents[2]), modules.name)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _output(*argv: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotGetError(str(error)) from error
    if done.returncode:
        raise CannotGetError(f"{' '.join(argv)}: {done.stderr.strip()[-300:]}")
    return done.stdout
