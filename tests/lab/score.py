"""How right is netdiag? Every fault is injected into a real cluster, and what netdiag says of it is counted.

A healthy cluster is asked first and after each recovery: whatever is found there above `info` is a false alarm. Cells
follow one another, each in a cluster of its own.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab import busy, scoreboard
from tests.lab.board import Board, Healthy, Row, Started, judge, look
from tests.lab.by_hand import ByHand
from tests.lab.cell import Cell
from tests.lab.cluster import Lab
from tests.lab.faults import Injected, LabFault
from tests.lab.processes import LabError
from workers import catalogue
from workers.core import wire
from workers.core.finding import Offer

BUSY_LOOKS, BUSY_PAUSE = 4, 1.0  # a rolling restart of two pods takes a few seconds
Say = Callable[[str], None]


async def score(
    cells: list[Cell], only: list[str], *, healthy_only: bool = False, quiet: bool = False, table: Path | None = None
) -> int:
    """Print a table (unless quiet) and the one line of JSON; 0 when all is as it must be. table: a page to write."""
    say = _nothing if quiet else _print
    board = Board()
    for cell in cells:
        await _cell(board, cell, only, say, healthy_only=healthy_only)
    totals = board.totals
    failures = board.failures(catalogue.load().faults)
    for failure in failures:
        say(f"FAILED {failure}")
    say(f"recall {totals['recall']:.2f}, precision {totals['precision']:.2f}, {totals['false_alarms']} false alarms")
    if table:
        scoreboard.write(table, board)
    print(board.as_json())
    return 1 if failures else 0


async def _cell(board: Board, cell: Cell, only: list[str], say: Say, *, healthy_only: bool) -> None:
    begun = time.monotonic()
    async with Lab(cell=cell) as lab:
        say(f"{cell}: lab started in {lab.started_in:.1f} s; logs: {lab.logs}")
        by_hand = ByHand(lab)
        await _busy(board, by_hand, say)
        for identifier in () if healthy_only else only or sorted(lab.faults):
            board.rows.append(await _row(by_hand, lab.fault(identifier), say))
            board.healthy.append(await _healthy(by_hand, "after a recovery", say))
        memory = round(sum(lab.memory().values()))
    took = round(time.monotonic() - begun, 1)
    board.cells.append(Started(str(cell), round(lab.started_in, 1), took, memory))
    say(f"{cell}: {took} s in all, {memory} MiB")


async def _busy(board: Board, by_hand: ByHand, say: Say) -> None:
    board.healthy.append(await _healthy(by_hand, "at rest", say))
    for when, busy_with in (("under load", busy.load), ("during a rolling restart", busy.rolling)):
        async with busy_with(by_hand.lab):
            for _ in range(BUSY_LOOKS):
                board.healthy.append(await _healthy(by_hand, when, say))
                await asyncio.sleep(BUSY_PAUSE)


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _nothing(text: str) -> None:
    """Say nothing."""


async def _healthy(by_hand: ByHand, when: str, say: Say) -> Healthy:
    """Ask a healthy lab."""
    run = await by_hand.ask("svc checkout")
    said = look(run, by_hand.lab.cell, when)
    say(f"healthy {when}: {said.verdict}, {run.took:.2f} s {' '.join(said.alarms)} {said.unknown}".rstrip())
    return said


async def _row(by_hand: ByHand, injected: Injected, say: Say) -> Row:
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
