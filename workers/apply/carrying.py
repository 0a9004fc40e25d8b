"""A claimed order, from the fresh look to the outcome: what is done, and what is said when it is interrupted?"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

import msgspec
import structlog

from workers.apply.claims import Clock, Held, Sleep
from workers.apply.writer import Moved, Refused, Standing, Taken, Unsure, Writer
from workers.core import wire
from workers.core.declare import Look, Remedy, Said
from workers.core.errors import NetdiagError
from workers.core.plan import Outcome, Plan, Refusal
from workers.core.steps import Step
from workers.core.target import Target

LOOK = 20.0  # seconds for one fresh plan, or one run of the check
SETTLE = 60.0  # seconds until the cluster must have answered: a pod's grace period is 30 s
HEAL = 30.0  # seconds until the check must be content
POLL, RECHECK, RETRY = 1.0, 2.0, 2.0  # seconds between two looks of each kind
TRIES = 3
BLIND = 30.0  # seconds for which we try to see what became of a call that was not answered

log = structlog.get_logger()
Result = Literal["done", "failed", "void", "refused", "unknown"]
Recheck = Callable[[str, Target, Look], Awaitable[Said]]


class Catalogue(Protocol):
    """What of the catalogue is needed here."""

    @property
    def remedies(self) -> dict[str, Remedy]:
        """By name."""

    def refusal_text(self, remedy: str, refusal: Refusal, lang: str = "en") -> str:
        """The refusal's sentence."""


class Tools(msgspec.Struct, frozen=True):
    """Doors to the world, and time."""

    fresh_look: Callable[[], Look]
    writer: Writer
    catalogue: Catalogue
    recheck: Recheck
    now: Clock
    sleep: Sleep
    emit: Callable[[wire.Event], Awaitable[None]]


class Over(NetdiagError):
    """The order is over before its time, and how."""

    def __init__(self, result: Result, detail: str) -> None:
        super().__init__(detail)
        self.result = result


class Carrying:
    """One order being carried out under a held claim."""

    def __init__(self, task: wire.ChangeTask, held: Held, tools: Tools) -> None:
        self._task = task
        self._held = held
        self._tools = tools
        self._remedy = tools.catalogue.remedies[task.plan.remedy]

    async def to_the_end(self) -> wire.ChangeEnded:
        """How it ended. Raises Taken when the claim is no longer ours."""
        try:
            await self._tools.emit(
                wire.ChangeStarted(approval=self._task.approval, at=self._tools.now(), worker=self._held.claim.holder)
            )
            again = await self._applied_earlier() or await self._not_the_same_any_more()
            if not again:
                for index, step in enumerate(self._task.plan.steps):
                    await self._apply(index, step)
            await self._tell_applied(again=again)
            return await self._verify()
        except Taken:
            raise
        except Over as over:
            return self._ended(over.result, str(over))
        except (Unsure, Refused) as error:
            return self._interrupted(f"the cluster did not answer: {error}")
        except Exception as error:
            log.exception("a change was interrupted", approval=self._task.approval)
            return self._interrupted(f"netdiag failed: {type(error).__name__}: {error}")

    async def _applied_earlier(self) -> bool:
        """Did an earlier delivery, which died, do all of it? A step that it had not even begun was not done by us."""
        done = [await self._was_done(index, step) for index, step in enumerate(self._task.plan.steps)]
        if any(done) and not all(done):
            raise Over("failed", f"{sum(done)} of {len(done)} steps were done before a worker died; the rest was not")
        return all(done)

    async def _was_done(self, index: int, step: Step) -> bool:
        state = self._held.claim.steps[index]
        if state == "sent":
            return await self._standing(step) != "there"
        return state == "done"

    async def _not_the_same_any_more(self) -> bool:
        """False when the approved plan comes out again. Else it is void; unless an earlier delivery's call came
        through while we looked, which is True.
        """
        why = await self._why_void()
        if why and not await self._applied_earlier():
            raise Over("void", f"{why}; nothing was changed")
        return bool(why)

    async def _why_void(self) -> str:
        if self._tools.now() >= self._task.expires:
            return "the approval expired before it was begun"
        plan = await self._fresh_plan()
        if isinstance(plan, Refusal):
            why = self._tools.catalogue.refusal_text(self._task.plan.remedy, plan)
            return f"this would not be planned any more: {why.rstrip('.')}"
        return "" if plan.digest == self._task.digest else "what would be done now is not what was approved"

    async def _fresh_plan(self) -> Plan | Refusal:
        task = self._task
        try:
            async with asyncio.timeout(LOOK):
                return await self._remedy.plan(task.plan.target, task.plan.args, self._tools.fresh_look())
        except TimeoutError as error:
            raise Over("failed", f"a fresh look took longer than {LOOK:g} s; nothing was changed") from error

    async def _apply(self, index: int, step: Step) -> None:
        """Send it until it is known to have happened: by uid, so that sending twice does once."""
        sent = self._held.claim.steps[index] == "sent"  # by an earlier delivery
        await self._held.note(index, "sent")
        for _ in range(TRIES):
            if await self._send(step, sent=sent):
                await self._note_done(index)
                return
            sent = True
            await self._tools.sleep(RETRY)
        raise Over("unknown", f"{TRIES} attempts were not answered, and may still come through. {self._see()}")

    async def _send(self, step: Step, *, sent: bool) -> bool:
        """One attempt; False when it has not happened yet. sent: there was an attempt before."""
        try:
            await self._tools.writer.apply(step, dry_run=False)
        except Moved as error:
            if sent:
                return True  # the attempt before has done it, and its answer did not reach us
            raise Over("void", f"it was gone or replaced already: {error}; nothing was changed") from error
        except Refused as error:
            if sent:
                raise Over("unknown", f"the cluster refused a second attempt: {error}. {self._see()}") from error
            raise Over("failed", f"the cluster refused: {error}; nothing was changed") from error
        except Unsure as error:
            log.warning("a step was not answered", approval=self._task.approval, reason=str(error))
            return await self._standing(step) != "there"
        return True

    async def _note_done(self, index: int) -> None:
        """`sent` would do: whoever takes over then looks at the cluster."""
        try:
            await self._held.note(index, "done")
        except (Unsure, Refused) as error:
            log.warning("a done step is not in the claim", approval=self._task.approval, reason=str(error))

    async def _standing(self, step: Step) -> Standing:
        """Look what is there, for a while; whoever cannot see must not guess."""
        ends = self._tools.now() + BLIND
        while True:
            try:
                return await self._tools.writer.standing(step)
            except (Unsure, Refused) as error:
                if isinstance(error, Refused) or self._tools.now() >= ends:
                    raise Over("unknown", f"it cannot be seen whether this was done: {error}. {self._see()}") from error
            await self._tools.sleep(RETRY)

    async def _tell_applied(self, *, again: bool) -> None:
        steps = tuple(self._tools.writer.say(step) for step in self._task.plan.steps)
        await self._tools.emit(
            wire.ChangeApplied(approval=self._task.approval, at=self._tools.now(), steps=steps, again=again)
        )

    async def _verify(self) -> wire.ChangeEnded:
        late = await self._wait_until_settled()
        outcome = await self._outcome()
        match outcome.result:
            case "healed":
                return self._ended("done", late, outcome)
            case "not-healed":
                return self._ended("failed", _join("it was done, and the check is not content", late), outcome)
            case _:
                return self._ended("unknown", _join("it was done; whether it helped cannot be seen", late), outcome)

    async def _wait_until_settled(self) -> str:
        """Empty when the cluster has answered every step; else a sentence part."""
        ends, why = self._tools.now() + SETTLE, ""
        waiting = list(self._task.plan.steps)
        while waiting:
            try:
                waiting = [step for step in waiting if not await self._tools.writer.settled(step)]
                why = ""
            except (Unsure, Refused) as error:
                why = f": {error}"
            if waiting and self._tools.now() >= ends:
                return f"no successor was ready within {SETTLE:g} s{why}"
            if waiting:
                await self._tools.sleep(POLL)
        return ""

    async def _outcome(self) -> Outcome:
        """What the failed check says now; asked again until it is content or its time is over."""
        ends = self._tools.now() + HEAL
        while True:
            outcome = await self._check_again()
            if outcome.result == "healed" or self._tools.now() >= ends:
                return outcome
            await self._tools.sleep(RECHECK)

    async def _check_again(self) -> Outcome:
        try:
            async with asyncio.timeout(LOOK):
                said = await self._tools.recheck(self._remedy.check, self._task.plan.target, self._tools.fresh_look())
                return self._remedy.verify(self._task.findings, said)
        except TimeoutError:
            return Outcome("unknown", note=f"the check took longer than {LOOK:g} s")
        except NetdiagError as error:
            return Outcome("unknown", note=f"the check could not run: {error}")

    def _interrupted(self, why: str) -> wire.ChangeEnded:
        """An end that nobody planned: as long as nothing was sent, nothing was changed."""
        if set(self._held.claim.steps) == {"pending"}:
            return self._ended("failed", f"{why}; nothing was changed")
        return self._ended("unknown", f"{why}. {self._see()}")

    def _see(self) -> str:
        return f"To find out: {'; '.join(self._tools.writer.how_to_see(step) for step in self._task.plan.steps)}"

    def _ended(self, result: Result, detail: str, outcome: Outcome | None = None) -> wire.ChangeEnded:
        return wire.ChangeEnded(
            approval=self._task.approval, at=self._tools.now(), result=result, detail=detail, outcome=outcome
        )


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
