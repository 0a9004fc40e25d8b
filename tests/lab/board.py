"""What came of asking netdiag about faults that are really there, and what that makes in all."""

import dataclasses
import json
from collections.abc import Collection
from typing import Any

from tests.lab.cell import Cell
from tests.lab.faults import LabFault
from workers.core import wire

FIRST, NAMED, MISSED, WRONG, NOT_INJECTED = "named first", "named", "missed", "wrong cause", "not injected"
NONE_OFFERED = "none offered"


@dataclasses.dataclass
class Row:
    """What came of one fault in one cell. verdict: netdiag's. seconds: of the diagnosis. folded: ids under the first
    finding. unexpected: findings that the fault does not account for. why: what else went wrong, a sentence each.
    """

    id: str
    cell: str
    result: str = NOT_INJECTED
    verdict: str = ""
    named: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    confidence: str = ""
    seconds: float = 0.0
    healed: str = NONE_OFFERED
    refused: str = ""
    unexpected: tuple[str, ...] = ()
    why: tuple[str, ...] = ()

    @property
    def as_wanted(self) -> bool:
        """Everything that the fault's file demands came true."""
        return self.result == FIRST and not self.unexpected and not self.why


def judge(fault: LabFault, run: wire.RunDone, cell: str) -> Row:
    """What a run's report says of a fault that is really there."""
    findings = [one for one in run.report.findings if one.severity != "info"]
    named = tuple(one.id for one in findings)
    mine = next((one for one in findings if one.id == fault.id), None)
    folded = tuple(one.id for one in run.report.folded)
    # No check reads nftables mode's rules, so what is wrong with them cannot be folded under its cause there.
    symptoms = () if cell.startswith("nftables/") else fault.folded
    why = [f"{one} is not folded under it" for one in symptoms if not (mine and one in mine.explains)]
    return Row(
        id=fault.id,
        cell=cell,
        result=_result(fault.id, named),
        verdict=run.report.verdict,
        named=named,
        folded=folded,
        confidence=mine.confidence if mine else "",
        seconds=round(run.took, 2),
        unexpected=tuple(name for name in named if name != fault.id and name not in fault.beside),
        why=tuple(why),
    )


def _result(fault: str, named: tuple[str, ...]) -> str:
    if not named:
        return MISSED
    if fault not in named:
        return WRONG
    return FIRST if named[0] == fault else NAMED


@dataclasses.dataclass(frozen=True)
class Healthy:
    """What netdiag said of a cluster where nothing was broken. alarms: what it should not have said: ids found above
    `info`, else a wrong verdict. unknown: what it could not see, and why.
    """

    cell: str
    when: str
    verdict: str
    alarms: tuple[str, ...] = ()
    unknown: str = ""


def look(run: wire.RunDone, cell: Cell, when: str) -> Healthy:
    """What a run's report says of a healthy cluster."""
    found = tuple(one.id for one in run.report.findings if one.severity != "info")
    # No check reads nftables mode's rules: that they are unknown is the truth there.
    right = {"healthy", "unknown"} if cell.mode == "nftables" else {"healthy"}
    alarms = found or (() if run.report.verdict in right else (run.report.verdict,))
    unknown = [f"{one.what}: {one.reason}" for one in run.report.unknown]
    if len(unknown) > 1:
        unknown = [unknown[0], f"and {len(unknown) - 1} more"]
    return Healthy(str(cell), when, run.report.verdict, alarms, "; ".join(unknown))


@dataclasses.dataclass(frozen=True)
class Started:
    """What a cell cost. started, took: seconds until it was healthy, and until it was gone. memory: MiB that all of
    its processes had at the end.
    """

    cell: str
    started: float
    took: float
    memory: int


@dataclasses.dataclass
class Board:
    """All that was asked, of one or more cells."""

    rows: list[Row] = dataclasses.field(default_factory=list)
    healthy: list[Healthy] = dataclasses.field(default_factory=list)
    cells: list[Started] = dataclasses.field(default_factory=list)

    @property
    def totals(self) -> dict[str, Any]:
        """Recall (named at all, of those injected), precision (right, of what was said), false alarms."""
        injected = [row for row in self.rows if row.result != NOT_INJECTED]
        right = sum(row.result in {FIRST, NAMED} for row in injected)
        alarms = sum(len(one.alarms) for one in self.healthy)
        said = sum(len(row.named) for row in injected) + alarms
        wrong = sum(len(row.unexpected) for row in injected) + alarms
        return {
            "recall": round(right / len(injected), 3) if injected else 0.0,
            "precision": round((said - wrong) / said, 3) if said else 1.0,
            "false_alarms": alarms,
        }

    def failures(self, nameable: Collection[str]) -> list[str]:
        """What must not be, a sentence each. A fault that no check can name yet (not `nameable`) may be missed, but it
        must have been injected and undone.
        """
        said = [f"{one.cell}: {alarm} is a false alarm, {one.when}" for one in self.healthy for alarm in one.alarms]
        for row in self.rows:
            if row.result == NOT_INJECTED:
                said.append(f"{row.cell}: {row.id} could not be injected: {'; '.join(row.why)}")
            elif row.cell.startswith("nftables/") and row.result == MISSED:
                continue  # no check reads that mode's rules yet
            elif row.id in nameable and not row.as_wanted:
                said.append(f"{row.cell}: {row.id}: {row.result} {row.named}; {'; '.join(row.why)}")
        return said

    def as_json(self) -> str:
        """One line, of DESIGN's interface."""
        cells = [dataclasses.asdict(one) for one in self.cells]
        return json.dumps({"cells": cells, "faults": [_as_json(row) for row in self.rows], "totals": self.totals})


def _as_json(row: Row) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(row).items()}
