"""How right is netdiag? Every fault is injected into a real cluster, and what netdiag says of it is counted.

A healthy cluster is asked first and after each recovery: whatever is found there above `info` is a false alarm.
"""

import dataclasses
import json
import sys
import time
from typing import Any

from tests.lab.build import kubernetes_version
from tests.lab.by_hand import ByHand
from tests.lab.cluster import Backend, Lab
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


async def score(only: list[str], backend: Backend, *, quiet: bool) -> int:
    """Print a table (unless quiet) and the one line of JSON; 0 when everything was as wanted."""
    say = _nothing if quiet else _print
    async with Lab(backend=backend) as lab:
        say(f"lab started in {lab.started_in:.1f} s; logs: {lab.logs}")
        by_hand = ByHand(lab)
        cell = f"iptables-{backend}/routed/{kubernetes_version()}"
        rows, alarms = [], await _healthy(by_hand, say)
        for identifier in only or sorted(lab.faults):
            rows.append(await _row(by_hand, lab.fault(identifier), cell, say))
            alarms += await _healthy(by_hand, say)
    totals = _totals(rows, alarms)
    say(f"recall {totals['recall']:.2f}, precision {totals['precision']:.2f}, {alarms} false alarms")
    print(json.dumps({"faults": [_as_json(row) for row in rows], "totals": totals}))
    return 0 if all(row.as_wanted for row in rows) and not alarms else 1


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _nothing(text: str) -> None:
    """Say nothing."""


async def _healthy(by_hand: ByHand, say: Any) -> int:
    """Ask a healthy lab; the number of false alarms."""
    run = await by_hand.ask("svc checkout")
    alarms = [one.id for one in run.report.findings if one.severity != "info"]
    unseen = "".join(f"; unknown: {one.what}: {one.reason}" for one in run.report.unknown)
    say(f"healthy lab: {run.report.verdict}, {run.took:.2f} s{unseen} {' '.join(alarms)}".rstrip())
    # A verdict other than `healthy` is a false alarm too: there was nothing that could not be seen.
    return len(alarms) + (run.report.verdict != "healthy" and not alarms)


async def _row(by_hand: ByHand, injected: Injected, cell: str, say: Any) -> Row:
    fault = injected.fault
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
