"""How does an approved plan become a change, exactly once, and how is it known whether it helped?

The order's proof is checked, the claim taken, the evidence looked at afresh; only if the same plan comes out again is
it applied. Whatever happens, the order ends with one truthful ChangeEnded, which is written into the claim before it is
told, so that a later delivery tells the same. What cannot be known is `unknown`, with the command that finds out.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from workers.apply import claims, orders
from workers.apply.carrying import Carrying, Catalogue, Recheck, Result, Tools
from workers.apply.claims import Clock, Held, Sleep
from workers.apply.writer import Claim, Moved, Refused, Taken, Unsure, Writer
from workers.core import wire
from workers.core.declare import Look
from workers.core.errors import NetdiagError, TypedWrongly
from workers.core.plan import Plan, Refusal
from workers.core.tokens import Keyring

PLAN = 20.0  # seconds for looking and planning
AGAIN = 3  # times that an outcome is written until it is in the claim, and seconds between

log = structlog.get_logger()


async def plan_remedy(
    task: wire.PlanTask, look: Look, writer: Writer, catalogue: Catalogue, *, now: Clock
) -> wire.Planned | wire.PlanRefused:
    """The plan, rehearsed by the server; or why there is none. Raises nothing: a failure is a refusal with a detail."""

    def refused(detail: str, refusal: Refusal | None = None) -> wire.PlanRefused:
        return wire.PlanRefused(approval=task.approval, at=now(), refusal=refusal, detail=detail)

    try:
        plan = await _rehearsed(task, look, writer, catalogue)
    except (NetdiagError, TimeoutError) as error:
        return refused(_why_not(error))
    except Exception as error:
        log.exception("planning failed", approval=task.approval, remedy=task.remedy)
        return refused(f"planning failed: {type(error).__name__}: {error}")
    if isinstance(plan, Refusal):
        return refused("", plan)
    return wire.Planned(approval=task.approval, at=now(), plan=plan, digest=plan.digest)


async def _rehearsed(task: wire.PlanTask, look: Look, writer: Writer, catalogue: Catalogue) -> Plan | Refusal:
    remedy = catalogue.remedies.get(task.remedy)
    if remedy is None:
        raise TypedWrongly(f"this release knows no remedy called {task.remedy}")
    async with asyncio.timeout(PLAN):
        plan = await remedy.plan(task.target, task.args, look)
        for step in plan.steps if isinstance(plan, Plan) else ():
            await writer.apply(step, dry_run=True)
    return plan


def _why_not(error: Exception) -> str:
    match error:
        case TimeoutError():
            return f"planning took longer than {PLAN:g} s"
        case Moved():
            return f"the cluster has changed meanwhile: {error}; run the check again"
        case Refused():
            return f"the cluster refuses the rehearsal: {error}"
        case Unsure():
            return f"the rehearsal was not answered: {error}"
        case _:
            return str(error)


async def carry_out(
    task: wire.ChangeTask,
    *,
    holder: str,
    fresh_look: Callable[[], Look],
    writer: Writer,
    catalogue: Catalogue,
    recheck: Recheck,
    bot_keys: Keyring,
    now: Clock,
    sleep: Sleep,
    emit: Callable[[wire.Event], Awaitable[None]],
) -> wire.ChangeEnded | None:
    """Carry out an order; how it ended, for the caller to tell. None: another delivery works on it, and will tell.

    holder: names this delivery and no other. emit: tells ChangeStarted and ChangeApplied.
    """
    lacking = orders.lacking(task, catalogue.remedies, bot_keys)
    if lacking:
        return _ended(task, now, "refused", f"the order proves too little: {lacking}")
    fresh = Claim(
        approval=task.approval,
        digest=task.digest,
        holder=holder,
        started=now(),
        steps=tuple("pending" for _ in task.plan.steps),
    )
    try:
        held = await claims.take(writer, fresh, now=now, sleep=sleep)
    except Refused as error:
        return _ended(task, now, "failed", f"the claim cannot be had, so nothing was done: {error}")
    except Unsure as error:
        return _ended(task, now, "unknown", f"nobody can say whether this was done: {error}. {_see(task.plan, writer)}")
    if held is None or isinstance(held, wire.ChangeEnded):
        return held
    tools = Tools(fresh_look, writer, catalogue, recheck, now, sleep, emit)
    try:
        async with held.beating():
            ended = await Carrying(task, held, tools).to_the_end()
            await _write_down(held, ended, sleep)
    except Taken:
        log.warning("another delivery has taken the claim over", approval=task.approval, holder=holder)
        return None
    return ended


async def _write_down(held: Held, ended: wire.ChangeEnded, sleep: Sleep) -> None:
    """A claim without its outcome is no harm: a later delivery looks at the cluster and comes to the same end."""
    for _ in range(AGAIN):
        try:
            await held.finish(ended)
        except (Unsure, Refused) as error:
            log.warning("the outcome is not in the claim", approval=ended.approval, reason=str(error))
            await sleep(AGAIN)
        else:
            return


def _ended(task: wire.ChangeTask, now: Clock, result: Result, detail: str) -> wire.ChangeEnded:
    return wire.ChangeEnded(approval=task.approval, at=now(), result=result, detail=detail)


def _see(plan: Plan, writer: Writer) -> str:
    return f"To find out: {'; '.join(writer.how_to_see(step) for step in plan.steps)}"
