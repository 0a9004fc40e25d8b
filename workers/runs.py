"""How is one run told, from the first check that is pending to the report, whatever happens on the way?"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import structlog

from workers import diagnose
from workers.catalogue import Catalogue
from workers.collect.bundle import pack
from workers.collect.look import Looker, Source
from workers.core import wire
from workers.core.errors import NetdiagError, TryAgain
from workers.core.finding import Report, Unknown
from workers.core.target import Request, Target
from workers.release import RELEASE
from workers.world import World

SOFT, HARD = 38.0, 45.0  # seconds: after the first nothing more is asked, after the second nothing is waited for
TICK = 0.3  # seconds between two events of progress
LARGEST_BUNDLE = 2 << 20  # bytes that are sent through Redis

log = structlog.get_logger()
Emit = Callable[[wire.Event], Awaitable[None]]


class Progress:
    """The latest state of a run's checks, told at most every TICK seconds; the last state is always told."""

    def __init__(self, run: str, checks: tuple[wire.CheckState, ...], emit: Emit, now: Callable[[], float]) -> None:
        self._emit = emit
        self._now = now
        self._news = asyncio.Event()
        self.state = wire.RunProgress(run=run, n=0, at=now(), checks=checks)

    async def update(self, checks: tuple[wire.CheckState, ...], found: tuple[str, ...]) -> None:
        """Called by the diagnosis when a check's state changes."""
        self._change(checks=checks, found=found)

    def looked(self, count: int) -> None:
        """Called by the door with the number of looks so far."""
        self._change(looked=count)

    @contextlib.asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tells news while the block runs."""
        telling = asyncio.ensure_future(self._tell())
        try:
            yield
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
            if self._news.is_set():
                await self._emit(self.state)

    def _change(self, **changes: object) -> None:
        state = self.state
        self.state = msgspec.structs.replace(state, n=state.n + 1, at=self._now(), **changes)
        self._news.set()

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await self._emit(self.state)
            await asyncio.sleep(TICK)


async def run(
    task: wire.DiagnoseTask, *, world: World, catalogue: Catalogue, worker: str, emit: Emit, now: Callable[[], float]
) -> wire.RunDone | wire.RunAnswer:
    """The run's end, for the caller to tell; its start and progress go to `emit`. Raises nothing."""
    if now() > task.asked + task.ttl:
        return _answer(task, now, "expired", f"this was asked {now() - task.asked:.0f} s ago; ask again")
    try:
        async with world.source() as source:
            return await _over(task, source, world=world, catalogue=catalogue, worker=worker, emit=emit, now=now)
    except (NetdiagError, TimeoutError) as error:
        return _answer(task, now, *_why(error, task.cluster))
    except Exception as error:
        log.exception("a run failed", run=task.run)
        return _answer(task, now, "failed", f"netdiag itself failed: {type(error).__name__}: {error}")


def _answer(
    task: wire.DiagnoseTask, now: Callable[[], float], reason: str, detail: str, choices: tuple[str, ...] = ()
) -> wire.RunAnswer:
    return wire.RunAnswer(run=task.run, at=now(), reason=reason, detail=detail, choices=choices)


def _why(error: Exception, cluster: str) -> tuple[str, str, tuple[str, ...]]:
    match error:
        case diagnose.NoSuchTarget():
            return "unknown-target", str(error), error.choices
        case diagnose.Ambiguous():
            return "ambiguous", str(error), error.choices
        case diagnose.CannotLook():
            return "forbidden", str(error), ()
        case TryAgain():
            return "cluster-away", f"the cluster {cluster} cannot be reached: {error}", ()
        case TimeoutError():
            return "cluster-away", f"the cluster {cluster} did not answer within {HARD:g} s", ()
        case _:
            return "failed", str(error), ()


async def _over(
    task: wire.DiagnoseTask,
    source: Source,
    *,
    world: World,
    catalogue: Catalogue,
    worker: str,
    emit: Emit,
    now: Callable[[], float],
) -> wire.RunDone:
    begun = now()
    pending = tuple(wire.CheckState(one.id, one.title, "pending") for one in catalogue.checks_for(task.request.command))
    progress = Progress(task.run, pending, emit, now)
    look = Looker(source, now=now, until=begun + SOFT, wait=not world.recorded, on_look=progress.looked)
    async with asyncio.timeout(HARD):
        target = await diagnose.resolve(task.request, look)
    request = msgspec.structs.replace(task.request, target=target)
    await emit(wire.RunStarted(run=task.run, worker=worker, at=now(), target=target, checks=pending))
    try:
        async with progress.told(), asyncio.timeout(max(begun + HARD - now(), 0)):
            said = await diagnose.diagnose(request, look, progress=progress.update)
            report, checks = said.report, said.checks
    except TimeoutError:
        report, checks = _out_of_time(progress.state.checks)
    return wire.RunDone(
        run=task.run,
        at=now(),
        took=now() - begun,
        target=target,
        report=report,
        checks=checks,
        bundle=_bundle(look, request, target, begun),
    )


def _out_of_time(checks: tuple[wire.CheckState, ...]) -> tuple[Report, tuple[wire.CheckState, ...]]:
    """What can be said when checks did not end: nothing was proven healthy by them."""
    late = [one for one in checks if one.state in {"pending", "running"}]
    unknown = tuple(Unknown(one.title, f"ran out of time after {HARD:g} s") for one in late)
    ended = tuple(
        msgspec.structs.replace(one, state="failed", note="ran out of time") if one in late else one for one in checks
    )
    return Report(verdict="unknown", unknown=unknown), ended


def _bundle(look: Looker, request: Request, target: Target, at: float) -> bytes:
    packed = pack(look.recorded(), request=request, target=target, at=at, release=RELEASE)
    return packed if len(packed) <= LARGEST_BUNDLE else b""
