"""Which one of several deliveries of the same order works on it, and when may another take over?

Creating the claim is atomic, so one delivery begins. It then writes a rising `beat` into the claim. Another delivery
waits: either an outcome appears, or it sees (by its own clock, so that clocks may differ) no new beat for `STALE`
seconds, and takes the claim over by compare-and-swap. Returning at once would be wrong: Celery redelivers the order of
a killed worker within a second, and nobody else would come to finish it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from workers.apply.writer import Claim, Refused, StepState, Taken, Unsure, Writer
from workers.core import wire

BEAT = 5.0  # seconds between two beats
STALE = 16.0  # seconds without a new beat after which a holder counts as dead: three beats and a slow write
GLANCE = 2.0  # seconds between two looks at somebody else's claim
PATIENCE = 45.0  # seconds; whoever has beaten all that time is alive: the delivery goes back into the queue
AWAY = 60.0  # seconds for which an API server that does not answer is asked again

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]


class Held:
    """A claim while this delivery holds it."""

    def __init__(self, writer: Writer, claim: Claim, sleep: Sleep) -> None:
        self._writer = writer
        self._sleep = sleep
        self._lock = asyncio.Lock()
        self.claim = claim

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Beats in the background, as long as the block runs."""
        task = asyncio.ensure_future(self._beat())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _beat(self) -> None:
        while True:
            await self._sleep(BEAT)
            try:
                await self._write(lambda claim: claim)
            except Taken:
                return  # the next note says so to the one who works
            except (Unsure, Refused):
                continue

    async def note(self, index: int, state: StepState) -> None:
        """Write down how far a step is. Raises Taken, Refused, or Unsure: then do not go on."""
        steps = (*self.claim.steps[:index], state, *self.claim.steps[index + 1 :])
        await self._write(lambda claim: msgspec.structs.replace(claim, steps=steps))

    async def finish(self, ended: wire.ChangeEnded) -> None:
        """Write the outcome. Raises Taken, Refused or Unsure."""
        await self._write(lambda claim: msgspec.structs.replace(claim, outcome=wire.encode(ended)))

    async def _write(self, change: Callable[[Claim], Claim]) -> None:
        async with self._lock:
            try:
                self.claim = await self._writer.write_claim(_beaten(change(self.claim)))
            except Taken:
                # Our own write before this one may have landed without its answer reaching us.
                found = await self._writer.read_claim(self.claim.approval)
                if found is None or found.holder != self.claim.holder:
                    raise
                wanted = change(found)
                self.claim = found if wanted == found else await self._writer.write_claim(_beaten(wanted))


def _beaten(claim: Claim) -> Claim:
    """Every write differs from the one before: the API server keeps the version of a claim that is written unchanged,
    so that two writers of the same would both succeed.
    """
    return msgspec.structs.replace(claim, beat=claim.beat + 1)


async def take(writer: Writer, fresh: Claim, *, now: Clock, sleep: Sleep) -> Held | wire.ChangeEnded | None:
    """The claim, held; or the outcome that it carries already; or None, when its holder is alive and stays so.

    fresh: the claim to create; its `holder` is this delivery's alone. Raises Refused when it cannot be had, Unsure when
    the API server stays away for AWAY seconds.
    """
    watch = _Watch(now)
    while True:
        try:
            found = await _create_or_read(writer, fresh, watch.seen)
            if found is not None:
                _check_same_order(found, fresh)
                if found.outcome:
                    return _outcome(found)
                if found.holder == fresh.holder:  # made just now, or earlier without the answer reaching us
                    return Held(writer, found, sleep)
                if watch.is_dead(found):
                    return Held(writer, await _overtake(writer, found, fresh.holder), sleep)
                if watch.was_patient():
                    return None
            watch.see(found)
        except Taken:
            watch.see(None)  # somebody else was faster; look again
        except Unsure:
            if watch.was_away():
                raise
        await sleep(GLANCE)


class _Watch:
    """What this delivery has seen of another's claim, and since when."""

    def __init__(self, now: Clock) -> None:
        self._now = now
        self._begun = self._answered = self._changed = now()
        self.seen: Claim | None = None

    def see(self, claim: Claim | None) -> None:
        """Take note of what was found."""
        self._answered = self._now()
        if claim is None or self.seen is None or self.seen.version != claim.version:
            self._changed = self._now()
        self.seen = claim

    def is_dead(self, claim: Claim) -> bool:
        """Has its holder not written for STALE seconds?"""
        same = self.seen is not None and self.seen.version == claim.version
        return same and self._now() - self._changed >= STALE

    def was_patient(self) -> bool:
        """Has this been watched for long enough?"""
        return self._now() - self._begun >= PATIENCE

    def was_away(self) -> bool:
        """Has the API server not answered for too long?"""
        return self._now() - self._answered > AWAY


async def _create_or_read(writer: Writer, fresh: Claim, seen: Claim | None) -> Claim | None:
    """None when it vanished between the two calls: then somebody deletes claims by hand."""
    made = await writer.create_claim(fresh) if seen is None else None
    return made or await writer.read_claim(fresh.approval)


async def _overtake(writer: Writer, dead: Claim, holder: str) -> Claim:
    return await writer.write_claim(_beaten(msgspec.structs.replace(dead, holder=holder)))


def _check_same_order(found: Claim, fresh: Claim) -> None:
    if (found.approval, found.digest, len(found.steps)) != (fresh.approval, fresh.digest, len(fresh.steps)):
        raise Refused(f"the claim of {fresh.approval} is for another plan (approval {found.approval})")


def _outcome(claim: Claim) -> wire.ChangeEnded:
    try:
        event = wire.decode_event(claim.outcome)
    except msgspec.DecodeError as error:
        raise Refused(f"the outcome in the claim of {claim.approval} cannot be read: {error}") from error
    if not isinstance(event, wire.ChangeEnded):
        raise Refused(f"the claim of {claim.approval} holds something else than an outcome")
    return event
