"""The scoreboard judges a report by what the fault's file demands."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Literal

import pytest

from tests.lab import board, faults, scoreboard
from tests.lab.cell import Cell, Mode
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


def _nothing(_: object) -> AbstractAsyncContextManager[None]:
    """A fault that nobody injects."""
    return nullcontext()


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
    row = board.judge(CUT_FAULT, run, "cell")
    assert (row.result, row.as_wanted) == (result, as_wanted)
    assert row.seconds == 1.23


def test_what_may_stand_beside_is_not_held_against_it() -> None:
    """Its file says so."""
    assert board.judge(BESIDE, _run(_found(STALE), _found("conntrack-full")), "cell").as_wanted


@pytest.mark.parametrize(
    ("verdict", "mode", "alarms"),
    [
        ("healthy", "iptables-nft", []),
        ("unknown", "iptables-nft", ["unknown"]),
        ("unknown", "iptables-legacy", ["unknown"]),
        ("unknown", "nftables", []),
        ("broken", "nftables", ["broken"]),
    ],
)
def test_a_healthy_lab_must_be_called_so_where_it_can_be_seen(
    verdict: Literal["healthy", "unknown", "broken"], mode: Mode, alarms: list[str]
) -> None:
    """No check reads the rules of nftables mode, so there it may be unknown; nowhere may it be anything else."""
    run = RunDone("r", 0.0, 1.0, TARGET, Report(verdict), ())
    assert list(board.look(run, Cell(mode), "at rest").alarms) == alarms


def test_a_finding_in_a_healthy_lab_is_a_false_alarm_unless_it_is_information() -> None:
    """In every mode."""
    run = _run(_found(STALE), _found("dns-slow", severity="info"))
    assert board.look(run, Cell("nftables"), "at rest").alarms == (STALE,)


def test_totals_count_what_was_right_and_what_was_not() -> None:
    """Recall over what was injected, precision over what was said, false alarms of healthy runs included."""
    right = board.judge(BESIDE, _run(_found(STALE)), "cell")
    wrong = board.judge(CUT_FAULT, _run(_found("dns-slow")), "cell")
    absent = board.Row(CUT, "cell")
    looks = [board.Healthy("cell", "at rest", "broken", ("dns-slow",)), board.Healthy("cell", "under load", "healthy")]
    said = board.Board([right, wrong, absent], looks)
    assert said.totals == {"recall": 0.5, "precision": 0.333, "false_alarms": 1}
    assert board.Board().totals == {"recall": 0.0, "precision": 1.0, "false_alarms": 0}


def test_only_what_has_no_check_may_be_missed() -> None:
    """A false alarm, a fault that could not be injected, and one that has a check and is not named are failures."""
    missed = board.judge(BESIDE, _run(), "cell")
    alarm = board.Healthy("cell", "under load", "broken", ("dns-slow",))
    assert board.Board([missed]).failures(nameable=()) == []
    said = board.Board([missed, board.Row("x", "cell", why=("no such thing",))], [alarm]).failures(nameable={STALE})
    assert [STALE in said[1], "x could not be injected: no such thing" in said[2], "dns-slow" in said[0]] == [True] * 3


def test_the_page_says_what_is_missed() -> None:
    """Every fault with its title, every look at a healthy cluster, and a list of what is not named first."""
    rows = [board.judge(BESIDE, _run(_found(STALE)), "cell"), board.judge(CUT_FAULT, _run(), "cell")]
    text = scoreboard.page(board.Board(rows, [board.Healthy("cell", "at rest", "healthy")]), "score")
    assert "kube-proxy on node-2 is frozen: it holds its rules from when the Service had no endpoints" in text
    assert "Recall 0.50" in text
    assert text.rstrip().endswith(
        "- `kube-proxy-apiserver-unreachable` (cell): missed; kube-proxy-stale-rules is not folded under it"
    )


def test_what_a_lab_fault_names_exists() -> None:
    """What it folds and allows is known to netdiag or to the lab, and the remedies to netdiag."""
    known = catalogue.load()
    loaded = faults.load()
    assert set(loaded) >= {STALE, CUT}
    for fault in loaded.values():
        assert {*fault.folded, *fault.beside} <= {*known.faults, *loaded}
        assert {fault.healed_by, fault.refuses} - {None} <= set(known.remedies)
