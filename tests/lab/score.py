"""How right is netdiag? Every fault is injected into a real cluster, and what netdiag says of it is counted.

A healthy cluster is asked first and after each recovery: whatever is found there above `info` is a false alarm.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab import busy, scoreboard
from tests.lab.board import Board, Healthy, Row, judge
from tests.lab.build import kubernetes_version
from tests.lab.by_hand import ByHand
from tests.lab.cluster import Backend, Lab
from tests.lab.faults import Injected, LabFault
from tests.lab.processes import LabError
from workers import catalogue
from workers.core import wire
from workers.core.finding import Offer

BUSY_LOOKS, BUSY_PAUSE = 4, 1.0  # a rolling restart of two pods takes a few seconds
Say = Callable[[str], None]


async def score(only: list[str], backend: Backend, *, quiet: bool, table: Path | None = None) -> int:
    """Print a table (unless quiet) and the one line of JSON; 0 when all is as it must be. table: a page to write."""
    say = _nothing if quiet else _print
    board = Board()
    await _cell(board, only, backend, say)
    totals = board.totals
    failures = board.failures(catalogue.load().faults)
    for failure in failures:
        say(f"FAILED {failure}")
    say(f"recall {totals['recall']:.2f}, precision {totals['precision']:.2f}, {totals['false_alarms']} false alarms")
    if table:
        scoreboard.write(table, board)
    print(board.as_json())
    return 1 if failures else 0


async def _cell(board: Board, only: list[str], backend: Backend, say: Say) -> None:
    cell = f"iptables-{backend}/routed/{kubernetes_version()}"
    async with Lab(backend=backend) as lab:
        say(f"{cell}: lab started in {lab.started_in:.1f} s; logs: {lab.logs}")
        by_hand = ByHand(lab)

        async def healthy(when: str) -> None:
            board.healthy.append(await _healthy(by_hand, cell, when, say))

        await healthy("at rest")
        for when, busy_with in (("under load", busy.load), ("during a rolling restart", busy.rolling)):
            async with busy_with(lab):
                for _ in range(BUSY_LOOKS):
                    await healthy(when)
                    await asyncio.sleep(BUSY_PAUSE)
        for identifier in only or sorted(lab.faults):
            board.rows.append(await _row(by_hand, lab.fault(identifier), cell, say))
            await healthy("after a recovery")


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _nothing(text: str) -> None:
    """Say nothing."""


async def _healthy(by_hand: ByHand, cell: str, when: str, say: Say) -> Healthy:
    """Ask a healthy lab."""
    run = await by_hand.ask("svc checkout")
    alarms = tuple(one.id for one in run.report.findings if one.severity != "info")
    unknown = "; ".join(f"{one.what}: {one.reason}" for one in run.report.unknown)
    say(f"healthy {when}: {run.report.verdict}, {run.took:.2f} s {' '.join(alarms)} {unknown}".rstrip())
    return Healthy(cell, when, run.report.verdict, alarms, unknown)


async def _row(by_hand: ByHand, injected: Injected, cell: str, say: Say) -> Row:
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
