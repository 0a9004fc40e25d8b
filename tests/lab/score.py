"""How right is netdiag? Every fault is injected into a real cluster, and what netdiag says of it is counted.

A healthy cluster is asked first and after each recovery: whatever is found there above `info` is a false alarm. Cells
follow one another, each in a cluster of its own.
"""

import dataclasses
import json
import sys
import time
from typing import Any

from tests.lab.by_hand import ByHand
from tests.lab.cell import Cell
from tests.lab.cluster import Lab
from tests.lab.faults import Injected, LabFault
from tests.lab.processes import LabError
from workers.core import wire
from workers.core.finding import Offer

FIRST, NAMED, MISSED, WRONG, NOT_INJECTED = "named first", "named", "missed", "wrong cause", "not injected"
NONE_OFFERED = "none offered"


@dataclasses.dataclass
class Row:
    """What came of one fault in one cell. seconds: of the diagnosis. folded: ids under the first finding.
    unexpected: findings that the fault does not account for. why: what else went wrong, a sentence each.
    """

    id: str
    cell: str
    result: str = NOT_INJECTED
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


@dataclasses.dataclass
class Seen:
    """A cell. healthy: what was said of it before anything was broken. alarms: false ones. started, took: seconds until
    it was healthy, and until it was gone. memory: MiB that all of its processes had at the end.
    """

    cell: str
    healthy: str
    alarms: int
    started: float
    took: float
    memory: int


def judge(fault: LabFault, run: wire.RunDone, cell: str) -> Row:
    """What a run's report says of a fault that is really there."""
    findings = [one for one in run.report.findings if one.severity != "info"]
    named = tuple(one.id for one in findings)
    mine = next((one for one in findings if one.id == fault.id), None)
    folded = tuple(one.id for one in run.report.folded)
    why = [f"{one} is not folded under it" for one in fault.folded if not (mine and one in mine.explains)]
    return Row(
        id=fault.id,
        cell=cell,
        result=_result(fault.id, named),
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


async def score(cells: list[Cell], only: list[str], *, healthy_only: bool, quiet: bool) -> int:
    """Print a table (unless quiet) and the one line of JSON; 0 when everything was as wanted."""
    say = _nothing if quiet else _print
    rows: list[Row] = []
    seen = []
    for cell in cells:
        begun = time.monotonic()
        async with Lab(cell=cell) as lab:
            say(f"{cell}: lab started in {lab.started_in:.1f} s; logs: {lab.logs}")
            by_hand = ByHand(lab)
            verdict, alarms = await _healthy(by_hand, say)
            for identifier in () if healthy_only else only or sorted(lab.faults):
                rows.append(await _row(by_hand, lab.fault(identifier), say))
                alarms += (await _healthy(by_hand, say))[1]
            memory = round(sum(lab.memory().values()))
        took = round(time.monotonic() - begun, 1)
        seen.append(Seen(str(cell), verdict, alarms, round(lab.started_in, 1), took, memory))
        say(f"{cell}: {took} s in all, {memory} MiB")
    totals = _totals(rows, sum(one.alarms for one in seen))
    say(f"recall {totals['recall']:.2f}, precision {totals['precision']:.2f}, {totals['false_alarms']} false alarms")
    cells_said = [vars(one) for one in seen]
    print(json.dumps({"cells": cells_said, "faults": [_as_json(row) for row in rows], "totals": totals}))
    return 0 if all(row.as_wanted for row in rows) and not totals["false_alarms"] else 1


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _nothing(text: str) -> None:
    """Say nothing."""


async def _healthy(by_hand: ByHand, say: Any) -> tuple[str, int]:
    """Ask a healthy lab; the verdict, and the number of false alarms."""
    run = await by_hand.ask("svc checkout")
    unseen = "".join(f"; unknown: {one.what}: {one.reason}" for one in run.report.unknown)
    alarms = false_alarms(run, by_hand.lab.cell)
    say(f"healthy lab: {run.report.verdict}, {run.took:.2f} s{unseen} {' '.join(alarms)}".rstrip())
    return run.report.verdict, len(alarms)


def false_alarms(run: wire.RunDone, cell: Cell) -> list[str]:
    """What a report says of a healthy lab that it should not: its findings above `info`, else its verdict."""
    found = [one.id for one in run.report.findings if one.severity != "info"]
    # No check reads nftables mode's rules: that they are unknown is the truth there.
    right = {"healthy", "unknown"} if cell.mode == "nftables" else {"healthy"}
    return found or ([] if run.report.verdict in right else [run.report.verdict])


async def _row(by_hand: ByHand, injected: Injected, say: Any) -> Row:
    fault, cell = injected.fault, str(by_hand.lab.cell)
    begun = time.monotonic()
    row = Row(fault.id, cell)
    try:
        await injected.inject()
        say(f"{fault.id}: injected in {time.monotonic() - begun:.1f} s")
        run = await by_hand.ask(fault.command)
        row = judge(fault, run, cell)
        await _remedy(by_hand, fault, run, row)
    except LabError as error:
        row.why = (*row.why, str(error))
    finally:
        begun = time.monotonic()
        await injected.recover()
    say(f"{fault.id}: {row.result} {row.named} in {row.seconds} s, healed: {row.healed} {row.refused}".rstrip())
    for why in row.why:
        say(f"  {why}")
    say(f"{fault.id}: recovered in {time.monotonic() - begun:.1f} s")
    return row


async def _remedy(by_hand: ByHand, fault: LabFault, run: wire.RunDone, row: Row) -> None:
    """Carry out what is offered, and hold it against what the fault's file demands."""
    if fault.refuses:
        answer = await by_hand.plan(run.target, Offer(fault.refuses, {"node": fault.node}))
        row.refused = _refusal(answer)
        if not row.refused:
            row.why += (f"{fault.refuses} is planned, and should refuse",)
    offers = [offer for one in run.report.findings[:1] for offer in one.remedies]
    if bool(offers) != bool(fault.healed_by) or (offers and offers[0].remedy != fault.healed_by):
        row.why += (f"offered: {[one.remedy for one in offers]}, wanted: {fault.healed_by}",)
    if offers:
        row.healed, detail = await _heal(by_hand, run, offers[0])
        if row.healed != "yes":
            row.why += (f"{offers[0].remedy}: {detail}",)


async def _heal(by_hand: ByHand, run: wire.RunDone, offer: Offer) -> tuple[str, str]:
    planned = await by_hand.plan(run.target, offer)
    if isinstance(planned, wire.PlanRefused):
        return "no", _refusal(planned)
    ended = await by_hand.carry_out(planned, run)
    answers = await by_hand.lab.answers()
    # netdiag's own word is not enough: somebody outside must be served by every node.
    good = ended.result == "done" and set(answers.values()) == {"200"}
    return ("yes" if good else "no"), f"{ended.result}: {ended.detail}; the nodes answer {answers}"


def _refusal(answer: wire.Planned | wire.PlanRefused) -> str:
    if isinstance(answer, wire.Planned):
        return ""
    return answer.refusal.reason if answer.refusal else f"failed: {answer.detail}"


def _totals(rows: list[Row], alarms: int) -> dict[str, Any]:
    injected = [row for row in rows if row.result != NOT_INJECTED]
    right = sum(row.result in {FIRST, NAMED} for row in injected)
    said = sum(len(row.named) for row in injected) + alarms
    wrong = sum(len(row.unexpected) for row in injected) + alarms
    return {
        "recall": round(right / len(injected), 3) if injected else 0.0,
        "precision": round((said - wrong) / said, 3) if said else 1.0,
        "false_alarms": alarms,
    }


def _as_json(row: Row) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(row).items()}
