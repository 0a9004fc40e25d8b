"""The real CoreDNS and the linter agree on Corefiles made by chance; what they once disagreed on is in cases.yaml."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.analysis.corefile import chance, conformance, grammar, real
from tests.lab import build
from workers.analysis.corefile.lint import lint

COUNT = 150  # of each kind; each takes 0.04 s
SEED = 20261124


def binary() -> Path:
    """The lab's CoreDNS; the test is skipped where the lab has none."""
    try:
        found = build.binaries()["coredns"]
    except build.CannotBuildError as error:
        pytest.skip(str(error))
    if not found.exists():
        pytest.skip(f"the lab has no {found.name}: build it anew")
    return found


def _disagreement(coredns: Path, text: str) -> str:
    ours = lint(text).loads
    if ours is None:
        return ""
    theirs, said = real.loads(coredns, text)
    return "" if ours is theirs else f"{text}\nCoreDNS loads it: {theirs}; we say {ours}\n{said}"


@pytest.mark.lab
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["options", "layouts", "changed"])
def test_the_real_coredns_agrees(kind: str) -> None:
    """What it refuses we refuse, what it loads we load, wherever we judge."""
    coredns = binary()
    if kind == "changed" and not chance.bases():
        pytest.skip(f"no conformance data at {conformance.CONFORMANCE}")
    make = {"options": grammar.corefiles, "layouts": grammar.layouts, "changed": chance.corefiles}[kind]
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda text: _disagreement(coredns, text), make(SEED, COUNT))
    assert [one for one in found if one] == []


@pytest.mark.lab
def test_the_real_coredns_can_tell() -> None:
    """It says yes to a good Corefile and no to a bad one: the comparison compares something."""
    coredns = binary()
    assert real.loads(coredns, ". {\n whoami\n}\n")[0]
    assert not real.loads(coredns, ". {\n cache {\n  prefetch 10 10%\n }\n}\n")[0]
