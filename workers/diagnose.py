"""What is asked about, and what do the command's checks say of it?

The one place where a check's crash is caught: it becomes an unknown that names the check, and the others still report.
"""

import asyncio
import difflib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from workers.analysis import causes
from workers.analysis.seeing import why
from workers.catalogue import Catalogue, load
from workers.core.declare import Check, Look, Said
from workers.core.errors import NetdiagError, TryAgain, TypedWrongly
from workers.core.evidence.service import FindServices, GetService, ServiceView
from workers.core.finding import Report, Unknown
from workers.core.query import Query, Seen
from workers.core.target import Request, Target
from workers.core.wire import CheckState

MOST_CHOICES = 5
Progress = Callable[[tuple[CheckState, ...], tuple[str, ...]], Awaitable[None]]
log = structlog.get_logger()


class NoSuchTarget(TypedWrongly):
    """There is no such object; `choices` are what may have been meant, as they can be typed."""

    def __init__(self, message: str, choices: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.choices = choices


class Ambiguous(TypedWrongly):
    """More than one object can be meant; `choices` are they, as they can be typed."""

    def __init__(self, message: str, choices: tuple[str, ...]) -> None:
        super().__init__(message)
        self.choices = choices


class CannotLook(NetdiagError):
    """The target cannot be looked up; the message says why, and which right is missing if it is that."""


class Diagnosed(msgspec.Struct, frozen=True):
    """A run's end: the target as resolved, the report, and each check's last state."""

    target: Target
    report: Report
    checks: tuple[CheckState, ...]


async def resolve(request: Request, look: Look) -> Target:
    """The one object that is meant, with its namespace.

    Raises NoSuchTarget or Ambiguous with what to type instead, TryAgain when the API server is away, CannotLook when
    it forbids the look.
    """
    target = request.target
    if target is None:
        raise TypedWrongly(f'"{request.command}" needs a target.')
    if not target.namespace:
        target = await _with_namespace(target, look)
    query = GetService(target.namespace, target.name)
    seen = await look(query)
    if seen.value is not None:
        return _with_port(target, seen.value)
    if seen.missing is not None and seen.missing.reason == "not-found":
        raise await _no_such(target, look)
    raise _away(seen, query)


async def _with_namespace(target: Target, look: Look) -> Target:
    query = FindServices(name=target.name)
    found = await look(query)
    if found.value is None:
        raise _away(found, query)
    names = found.value.names
    if not names:
        raise await _no_such(target, look)
    if len(names) > 1:
        choices = tuple(f"svc {name}" for name in names)
        raise Ambiguous(f'There are {len(names)} Services named "{target.name}": say which.', choices)
    return msgspec.structs.replace(target, namespace=names[0].partition("/")[0])


def _with_port(target: Target, service: ServiceView) -> Target:
    if not target.port or any(target.port in {port.name, str(port.port)} for port in service.ports):
        return target
    ports = tuple(port.name or str(port.port) for port in service.ports)
    choices = tuple(f"svc {target.namespace}/{target.name}:{port}" for port in ports)
    raise NoSuchTarget(f'The Service {target.namespace}/{target.name} has no port "{target.port}".', choices)


async def _no_such(target: Target, look: Look) -> NoSuchTarget:
    """What may have been meant: the same name elsewhere first, then names that look alike, near ones first."""
    where = f" in the namespace {target.namespace}" if target.namespace else ""
    message = f'There is no Service "{target.name}"{where}.'
    everything = await look(FindServices())
    if everything.value is None:
        return NoSuchTarget(message)
    by_name: dict[str, list[str]] = {}
    for name in everything.value.names:
        by_name.setdefault(name.partition("/")[2], []).append(name)
    close = difflib.get_close_matches(target.name, by_name, n=MOST_CHOICES, cutoff=0.6)
    meant = [name for one in close for name in by_name[one]]
    meant.sort(key=lambda name: (name.partition("/")[2] != target.name, name.partition("/")[0] != target.namespace))
    choices = tuple(f"svc {name}" for name in meant[:MOST_CHOICES])
    return NoSuchTarget(f"{message} Did you mean one of these?" if choices else message, choices)


def _away(seen: Seen[Any], query: Query[Any]) -> NetdiagError:
    reason = why(seen.missing, query)
    if seen.missing and seen.missing.reason in {"timeout", "unreachable"}:
        return TryAgain(reason)
    return CannotLook(f"The Service cannot be looked up: {reason}.")


async def diagnose(
    request: Request, look: Look, *, progress: Progress | None = None, catalogue: Catalogue | None = None
) -> Diagnosed:
    """Run the command's checks on `request.target`, which must be resolved; all at once, each for itself.

    progress: called with every check's state, and the ids of what is found so far.
    """
    target = request.target
    if target is None:
        raise TypedWrongly(f'"{request.command}" needs a target.')
    known = catalogue or load()
    checks = [check for check in known.checks_for(request.command) if target.kind in check.kinds]
    board = _Board(checks, progress)
    await board.tell()
    said = await asyncio.gather(*(board.run(check, target, look) for check in checks))
    return Diagnosed(target, causes.report(said), board.states())


async def recheck(check_id: str, target: Target, look: Look) -> Said:
    """One check again. Its crash is an unknown, as in a run."""
    said, _ = await _run(load().checks[check_id], target, look)
    return said


class _Board:
    """How far each check is, and what was found so far."""

    def __init__(self, checks: list[Check], progress: Progress | None) -> None:
        self._states = {check.id: CheckState(check.id, check.title, "pending") for check in checks}
        self._found: list[str] = []
        self._progress = progress

    def states(self) -> tuple[CheckState, ...]:
        return tuple(self._states.values())

    async def tell(self) -> None:
        if self._progress:
            await self._progress(self.states(), tuple(dict.fromkeys(self._found)))

    async def run(self, check: Check, target: Target, look: Look) -> Said:
        self._states[check.id] = CheckState(check.id, check.title, "running")
        await self.tell()
        said, crashed = await _run(check, target, look)
        self._found += [finding.id for finding in said.findings]
        self._states[check.id] = _ended(check, said, crashed=crashed)
        await self.tell()
        return said


async def _run(check: Check, target: Target, look: Look) -> tuple[Said, bool]:
    try:
        return await check.analyse(target, look), False
    except Exception as error:  # the one place: a check's fault must not take the others' answers away
        log.exception("a check failed", check=check.id)
        what = f"the {check.id} check itself failed"
        return Said(unknown=(Unknown(what, f"{type(error).__name__}: {error}"[:200]),)), True


def _ended(check: Check, said: Said, *, crashed: bool) -> CheckState:
    if crashed:
        return CheckState(check.id, check.title, "failed", said.unknown[0].reason)
    if said.findings:
        places = [place for finding in said.findings for place in finding.scope.values()]
        return CheckState(check.id, check.title, "problem", ", ".join(dict.fromkeys(places)))
    note = said.healthy[0] if said.healthy and not said.unknown else ""
    if said.unknown:
        note = f"{said.unknown[0].what}: not seen"
    return CheckState(check.id, check.title, "done", note)
