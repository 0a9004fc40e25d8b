"""Corefiles that were tried with CoreDNS itself: the linter says the same, and the binary still says it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.analysis.corefile import real
from tests.analysis.corefile.test_real_coredns import binary
from workers.analysis.corefile.lint import lint

CASES = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text())
BY_NAME = pytest.mark.parametrize("case", [pytest.param(one, id=one["name"]) for one in CASES])


@BY_NAME
def test_the_linter_says_what_coredns_says(case: dict[str, Any]) -> None:
    """Loads, does not load, or open where the case says so."""
    assert lint(case["text"]).loads is case.get("ours", case["loads"])


@pytest.mark.lab
@BY_NAME
def test_coredns_says_so(case: dict[str, Any]) -> None:
    """The case is true of the binary."""
    assert real.loads(binary(), case["text"])[0] is case["loads"]
