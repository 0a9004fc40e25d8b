"""The scoreboard judges a report by what the fault's file demands."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.lab import faults, score
from tests.lab.faults import LabFault
from workers import catalogue
from workers.core.finding import Finding, Report
from workers.core.target import Target
from workers.core.wire import RunDone

STALE, CUT = "kube-proxy-stale-rules", "kube-proxy-apiserver-unreachable"
TARGET = Target(cluster="lab", kind="svc", name="checkout", namespace="shop")


def _run(*findings: Finding, folded: tuple[Finding, ...] = ()) -> RunDone:
    return RunDone("r", 0.0, 1.234, TARGET, Report("broken", findings, folded), ())


def _found(identifier: str, *, severity: str = "critical", explains: tuple[str, ...] = ()) -> Finding:
    return Finding(identifier, severity, "confirmed", explains=explains)  # type: ignore[arg-type]  # by the caller


@contextlib.asynccontextmanager
async def _nothing(_: object) -> AsyncIterator[None]:
    """A fault that nobody injects."""
    yield


CUT_FAULT = LabFault(CUT, "svc checkout", _nothing, "node-2", folded=(STALE,))
BESIDE = LabFault(STALE, "svc checkout", _nothing, "node-2", beside=("conntrack-full",))


@pytest.mark.parametrize(
    ("run", "result", "as_wanted"),
    [
        (_run(_found(CUT, explains=(STALE,)), folded=(_found(STALE),)), "named first", True),
        (_run(_found(CUT)), "named first", False),  # the symptom is not explained
        (_run(_found(CUT, explains=(STALE,)), _found("dns-slow")), "named first", False),  # nobody asked for that
        (_run(_found(STALE), _found(CUT, explains=(STALE,))), "named", False),
        (_run(_found(STALE)), "wrong cause", False),
        (_run(_found("dns-slow", severity="info")), "missed", False),
        (_run(), "missed", False),
    ],
)
def test_a_cause_counts_when_it_is_named_first_with_its_symptoms_under_it(
    run: RunDone, result: str, as_wanted: bool
) -> None:
    """Everything else is some kind of wrong."""
    row = score.judge(CUT_FAULT, run, "cell")
    assert (row.result, row.as_wanted) == (result, as_wanted)
    assert row.seconds == 1.23


def test_what_may_stand_beside_is_not_held_against_it() -> None:
    """Its file says so."""
    assert score.judge(BESIDE, _run(_found(STALE), _found("conntrack-full")), "cell").as_wanted


def test_totals_count_what_was_right_and_what_was_not() -> None:
    """Recall over what was injected, precision over what was said, false alarms of healthy runs included."""
    right = score.judge(BESIDE, _run(_found(STALE)), "cell")
    wrong = score.judge(CUT_FAULT, _run(_found("dns-slow")), "cell")
    absent = score.Row(CUT, "cell")
    assert score._totals([right, wrong, absent], 1) == {"recall": 0.5, "precision": 0.333, "false_alarms": 1}
    assert score._totals([], 0) == {"recall": 0.0, "precision": 1.0, "false_alarms": 0}


def test_what_a_lab_fault_names_is_in_the_catalogue() -> None:
    """What it folds and allows, and the remedies it names, exist; of itself, a check may still be missing."""
    known = catalogue.load()
    loaded = faults.load()
    assert set(loaded) >= {STALE, CUT}
    for fault in loaded.values():
        assert {*fault.folded, *fault.beside} <= set(known.faults)
        assert {fault.healed_by, fault.refuses} - {None} <= set(known.remedies)
