"""The lab's Kubernetes is built once, whole or not at all."""

import threading
from pathlib import Path

import pytest

from tests.lab import build

GO = build.Go("go", "1.26.8")


class Compiler:
    """Stands in for `go build`: writes a file, or fails at the program named `broken`."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.built: list[str] = []

    def __call__(self, go: build.Go, module: str, package: str, folder: Path) -> None:
        """Build one."""
        del go, module
        name = package.rpartition("/")[2]
        if name == self.broken:
            raise build.CannotBuildError(name)
        self.built.append(name)
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("")


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Compiler:
    """A compiler that works, Go on the machine, and an empty cache."""
    made = Compiler()
    monkeypatch.delenv("NETDIAG_LAB_BIN", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "_compile", made)
    monkeypatch.setattr(build, "_find_go", lambda _: GO)
    return made


def test_a_second_build_builds_nothing(compiler: Compiler) -> None:
    """What is there is used, at once."""
    folder = build.build()
    assert sorted(path.name for path in folder.iterdir()) == sorted(compiler.built)
    compiler.broken = "kube-proxy"
    assert build.build() == folder == build.binaries()


def test_two_builds_at_once_build_once(compiler: Compiler) -> None:
    """The second waits for the first, and uses what it built."""
    threads = [threading.Thread(target=build.build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compiler.built) == sum(len(packages) for packages in build.PROGRAMS.values())


def test_a_build_that_fails_leaves_nothing(compiler: Compiler) -> None:
    """A folder that is there is complete."""
    compiler.broken = "kube-proxy"
    with pytest.raises(build.CannotBuildError):
        build.build()
    assert [path.name for path in build.cache().iterdir()] == ["build.lock"]
    with pytest.raises(build.CannotBuildError, match="is not built"):
        build.binaries()


def test_another_go_or_other_modules_are_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder's name covers everything that decides about its content."""
    before = build._key(GO)
    assert build._key(build.Go("go", "1.27.0")) != before
    for module in build.PROGRAMS:
        (tmp_path / module).mkdir()
        for name in ("go.mod", "go.sum"):
            (tmp_path / module / name).write_text((build.MODULES / module / name).read_text())
    monkeypatch.setattr(build, "MODULES", tmp_path)
    assert build._key(GO) == before
    (tmp_path / "etcd" / "go.sum").write_text("other")
    assert build._key(GO) != before


def test_go_that_is_too_old_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The wheel is taken instead."""
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/go")
    monkeypatch.setattr(build, "_version_of", lambda _: "1.19.8")
    assert build._find_go(tmp_path) is None
    monkeypatch.setattr(build, "_version_of", lambda _: "1.26.0")
    assert build._find_go(tmp_path) == build.Go("/usr/bin/go", "1.26.0")


def test_the_binaries_say_the_version_that_is_pinned() -> None:
    """Clients judge a server by its version, and a plain `go build` would stamp none."""
    assert f"gitVersion={build.kubernetes_version()}" in build._linker_flags("kubernetes")
    assert "-X" not in build._linker_flags("etcd")
