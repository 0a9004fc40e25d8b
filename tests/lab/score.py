"""How right is netdiag? Every fault is injected into a real cluster, and what netdiag says of it is counted.

A healthy cluster is asked first and after each recovery: whatever is found there above `info` is a false alarm. Cells
follow one another, each in a cluster of its own.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tests.lab import busy, scoreboard
from tests.lab.board import Board, Row, Started, judge, look
from tests.lab.by_hand import ByHand
from tests.lab.cell import Cell, every, pairwise
from tests.lab.cluster import Lab
from tests.lab.faults import Injected, LabFault
from tests.lab.processes import LabError
from tests.lab.record import keep
from workers import catalogue
from workers.core import wire
from workers.core.finding import Offer

BUSY_LOOKS, BUSY_PAUSE = 4, 1.0  # a rolling restart of two pods takes a few seconds
Say = Callable[[str], None]
EVERYWHERE = ("kube-proxy-stale-rules", "kube-proxy-apiserver-unreachable", "svc-selector-mismatch")


Plan = Sequence[tuple[Cell, Sequence[str]]]  # which faults in which cell


def ci_plan(faults: Mapping[str, LabFault]) -> Plan:
    """What CI asks: every fault in the first pairwise cell where it can happen, some in all of those, and every cell
    whether it is healthy.
    """
    cells, plan = pairwise(), []
    for number, cell in enumerate(cells):
        chosen = [id_ for id_, fault in faults.items() if _can(fault, cell)]
        before = cells[:number]
        plan.append((cell, sorted(id_ for id_ in chosen if id_ in EVERYWHERE or not _any(faults[id_], before))))
    return [*plan, *((cell, ()) for cell in every() if cell not in cells)]


def _can(fault: LabFault, cell: Cell) -> bool:
    return not fault.modes or cell.mode in fault.modes


def _any(fault: LabFault, cells: Iterable[Cell]) -> bool:
    return any(_can(fault, cell) for cell in cells)


async def score(plan: Plan, *, quiet: bool = False, table: Path | None = None, record: Path | None = None) -> int:
    """Print a table (unless quiet) and the one line of JSON; 0 when all is as it must be.

    table: a page to write. record: a folder for bundles before and after each fault.
    """
    scorer = Scorer(_nothing if quiet else _print, record)
    for cell, faults in plan:
        await scorer.cell(cell, faults)
    return scorer.end(table)


class Scorer:
    """Asks cell by cell, and keeps what came of it. record: see `score`."""

    def __init__(self, say: Say, record: Path | None = None) -> None:
        self._say = say
        self._record = record
        self._board = Board()

    def end(self, table: Path | None) -> int:
        """Say what came of it all; the exit code."""
        totals, failures = self._board.totals, self._board.failures(catalogue.load().faults)
        for failure in failures:
            self._say(f"FAILED {failure}")
        self._say(
            f"recall {totals['recall']:.2f}, precision {totals['precision']:.2f}, {totals['false_alarms']} false alarms"
        )
        if table:
            scoreboard.write(table, self._board)
        print(self._board.as_json())
        return 1 if failures else 0

    async def cell(self, cell: Cell, faults: Sequence[str]) -> None:
        """All questions of a cell: healthy, busy, and with each fault. A cluster that does not recover is replaced."""
        pending, first = list(faults), True
        while first or pending:
            begun = time.monotonic()
            async with Lab(cell=cell) as lab:
                self._say(f"{cell}: lab started in {lab.started_in:.1f} s; logs: {lab.logs}")
                by_hand = ByHand(lab)
                if first:
                    await self._busy(by_hand)
                recovered = True
                while pending and recovered:
                    recovered = await self._fault(by_hand, lab.fault(pending.pop(0)))
                memory = round(sum(lab.memory().values()))
            took = round(time.monotonic() - begun, 1)
            self._board.cells.append(Started(str(cell), round(lab.started_in, 1), took, memory))
            self._say(f"{cell}: {took} s in all, {memory} MiB")
            first = False

    async def _busy(self, by_hand: ByHand) -> None:
        await self._healthy(by_hand, "at rest")
        for when, busy_with in (("under load", busy.load), ("during a rolling restart", busy.rolling)):
            async with busy_with(by_hand.lab):
                for _ in range(BUSY_LOOKS):
                    await self._healthy(by_hand, when)
                    await asyncio.sleep(BUSY_PAUSE)

    async def _healthy(self, by_hand: ByHand, when: str) -> None:
        run = await by_hand.ask("svc checkout")
        said = look(run, by_hand.lab.cell, when)
        self._board.healthy.append(said)
        self._say(f"healthy {when}: {said.verdict}, {run.took:.2f} s {' '.join(said.alarms)} {said.unknown}".rstrip())

    async def _fault(self, by_hand: ByHand, injected: Injected) -> bool:
        """One row. False when the cluster did not recover."""
        fault, cell = injected.fault, str(by_hand.lab.cell)
        begun = time.monotonic()
        row = Row(fault.id, cell)
        try:
            await injected.inject()
            self._say(f"{fault.id}: injected in {time.monotonic() - begun:.1f} s")
            run = await by_hand.ask(fault.command)
            row = judge(fault, run, cell)
            await self._keep(by_hand, fault, cell, "before")
            await remedy(by_hand, fault, run, row)
        except LabError as error:
            row.why += (str(error),)
        recovered = await self._recover(injected, row)
        self._board.rows.append(row)
        self._say(f"{row.id}: {row.result} {row.named} in {row.seconds} s, healed: {row.healed} {row.refused}".rstrip())
        for why in row.why:
            self._say(f"  {why}")
        if recovered:
            await self._keep(by_hand, fault, cell, "after")
            await self._healthy(by_hand, "after a recovery")
        return recovered

    async def _recover(self, injected: Injected, row: Row) -> bool:
        begun = time.monotonic()
        try:
            await injected.recover()
        except LabError as error:
            row.why += (f"it does not recover: {error}",)
            return False
        self._say(f"{row.id}: recovered in {time.monotonic() - begun:.1f} s")
        return True

    async def _keep(self, by_hand: ByHand, fault: LabFault, cell: str, when: str) -> None:
        """Record what netdiag sees now, if that is wanted."""
        if self._record:
            folder = self._record / cell.replace("/", "_") / fault.id
            await keep(by_hand, fault.command, folder / f"{when}.bundle")


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _nothing(text: str) -> None:
    """Say nothing."""


async def remedy(by_hand: ByHand, fault: LabFault, run: wire.RunDone, row: Row) -> None:
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
