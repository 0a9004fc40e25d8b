"""Corefiles that were tried with CoreDNS itself: the linter says the same, and the binary still says it.

cases.yaml is written by hand. recorded.jsonl holds the shortest of 34,000 generated Corefiles for each way to be taken,
refused or left open, with what the binary said.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.analysis.corefile import real
from tests.analysis.corefile.test_real_coredns import binary
from workers.analysis.corefile.lint import lint

HERE = Path(__file__).parent
BY_HAND = yaml.safe_load((HERE / "cases.yaml").read_text())
RECORDED = [json.loads(line) for line in (HERE / "recorded.jsonl").read_text(encoding="utf-8").splitlines()]
CASES = [pytest.param(one, id=one["name"]) for one in BY_HAND]
CASES += [pytest.param(one, id=f"recorded-{number}") for number, one in enumerate(RECORDED, 1)]


@pytest.mark.parametrize("case", CASES)
def test_the_linter_says_what_coredns_says(case: dict[str, Any]) -> None:
    """Loads, does not load, or open where the case says so."""
    assert lint(case["text"]).loads is case.get("ours", case["loads"])


@pytest.mark.parametrize("case", CASES)
def test_a_case_leaves_open_or_agrees(case: dict[str, Any]) -> None:
    """No case keeps a disagreement."""
    assert case.get("ours", case["loads"]) in {case["loads"], None}


@pytest.mark.lab
@pytest.mark.timeout(300)
def test_coredns_still_says_so() -> None:
    """The cases are true of the binary."""
    coredns = binary()
    cases = BY_HAND + RECORDED
    with ThreadPoolExecutor(2) as threads:
        said = list(threads.map(lambda case: real.loads(coredns, case["text"])[0], cases))
    assert [case for case, loads in zip(cases, said, strict=True) if case["loads"] is not loads] == []
