"""Each set of the lab's programs is built once, whole or not at all."""

import shutil
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
        del go
        name = build._name(module, package)
        if name == self.broken:
            raise build.CannotBuildError(name)
        self.built.append(name)
        folder.mkdir(parents=True, exist_ok=True)
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
    built = build.build()
    assert sorted(built) == sorted(compiler.built)
    assert {"etcd", "coredns", "kube-proxy", f"kube-proxy-{build.older_version()}"} < set(built)
    compiler.broken = "kube-proxy"
    assert build.build() == built == build.binaries()


def test_a_new_set_leaves_the_others_as_they_are(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes takes minutes; a program more must not cost them again."""
    every = build.SETS
    monkeypatch.setattr(build, "SETS", every[:1])
    before = build.build()
    compiler.built.clear()
    monkeypatch.setattr(build, "SETS", every)
    after = build.build()
    assert set(compiler.built) == set(after) - set(before)
    assert before.items() < after.items()


def test_two_builds_at_once_build_once(compiler: Compiler) -> None:
    """The second waits for the first, and uses what it built."""
    threads = [threading.Thread(target=build.build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compiler.built) == sum(len(packages) for programs in build.SETS for packages in programs.values())


def test_a_build_that_fails_leaves_nothing(compiler: Compiler) -> None:
    """A folder that is there is complete."""
    compiler.broken = "kube-proxy"
    with pytest.raises(build.CannotBuildError):
        build.build()
    assert [path.name for path in build.cache().iterdir()] == ["build.lock"]
    with pytest.raises(build.CannotBuildError, match="are not built"):
        build.binaries()


def test_sets_that_were_built_before_another_failed_are_kept(compiler: Compiler) -> None:
    """The next try goes on from there; until then nothing is said to be built."""
    compiler.broken = "coredns"
    with pytest.raises(build.CannotBuildError):
        build.build()
    with pytest.raises(build.CannotBuildError, match="are not built"):
        build.binaries()
    compiler.broken = ""
    compiler.built.clear()
    build.build()
    assert "etcd" not in compiler.built


def test_another_go_or_other_modules_are_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder's name covers everything that decides about its content, and nothing else."""
    before = [build._key(GO, programs) for programs in build.SETS]
    assert len(set(before)) == len(before)
    assert not {build._key(build.Go("go", "1.27.0"), programs) for programs in build.SETS} & set(before)
    shutil.copytree(build.MODULES, tmp_path / "go")
    monkeypatch.setattr(build, "MODULES", tmp_path / "go")
    assert [build._key(GO, programs) for programs in build.SETS] == before
    (tmp_path / "go" / "etcd" / "go.sum").write_text("other")
    after = [build._key(GO, programs) for programs in build.SETS]
    assert after[0] != before[0]
    assert after[1:] == before[1:]


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
    assert f"gitVersion={build.older_version()}" in build._linker_flags("kubernetes-older")
    assert "-X" not in build._linker_flags("etcd")
