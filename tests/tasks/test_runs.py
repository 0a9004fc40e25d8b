"""A run is told to its end, whatever the world does: in time, with progress that is not a flood."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from tests.change.virtual import now, run
from workers import catalogue, runs
from workers.collect.look import Source
from workers.core import wire
from workers.core.errors import TryAgain
from workers.core.evidence.service import FindServices, GetService, Names, ServicePort, ServiceView
from workers.core.query import Missing, Query, Seen
from workers.core.target import Request, Target
from workers.world import LateSource, PacedSource

TARGET = Target(cluster="lab", kind="svc", namespace="shop", name="checkout")
SERVICE = ServiceView("shop", "checkout", "u", "ClusterIP", ports=(ServicePort("http", "TCP", 80),))
Answer = Callable[[Query[Any]], Any]


def healthy(query: Query[Any]) -> Any:
    """A headless Service, found by name; nothing else is there."""
    match query:
        case GetService(namespace="shop", name="checkout"):
            return SERVICE
        case FindServices():
            return Names(("shop/checkout",))
        case _:
            return None


class World:
    """A world that answers each look after a while, by a function of the query."""

    recorded = False
    writer: Any = None

    def __init__(self, answer: Answer = healthy, *, slow: float = 0.1, away: Exception | None = None) -> None:
        self.answer = answer
        self.slow = slow
        self.away = away
        self.opened = 0

    @contextlib.asynccontextmanager
    async def source(self) -> AsyncIterator[Source]:
        """See World."""
        self.opened += 1
        if self.away:
            raise self.away
        yield self

    async def fetch(self, query: Query[Any]) -> Seen[Any]:
        """See Source."""
        await asyncio.sleep(self.slow)
        value = self.answer(query)
        if isinstance(value, Missing):
            return Seen(missing=value)
        return Seen(value=value) if value is not None else Seen(missing=Missing("not-found", "nothing there"))


async def tell(world: World, target: Target = TARGET, **changes: Any) -> tuple[Any, list[Any], float]:
    """Run it: how it ended, what was told before, and how long it took."""
    told: list[Any] = []
    begun = now()
    task = wire.DiagnoseTask("r-1", "lab", Request("svc", target), begun)
    task = msgspec.structs.replace(task, **changes)

    async def emit(event: wire.Event) -> None:
        told.append((now(), event))

    ended = await runs.run(task, world=world, catalogue=catalogue.load(), worker="w-1", emit=emit, now=now)
    return ended, told, now() - begun


def test_a_run_without_a_namespace_is_resolved() -> None:
    """The start says which object is meant, and which checks will run."""
    ended, told, _ = run(tell(World(), msgspec.structs.replace(TARGET, namespace="")))
    assert isinstance(ended, wire.RunDone)
    started = told[0][1]
    assert isinstance(started, wire.RunStarted)
    assert (started.target, started.worker) == (TARGET, "w-1")
    assert {check.state for check in started.checks} == {"pending"}
    assert ended.target == TARGET


def test_progress_is_told_seldom_and_to_the_end() -> None:
    """At most one event every 300 ms; the last one has the last state."""
    ended, told, _ = run(tell(World(slow=1.0)))
    times = [at for at, event in told if isinstance(event, wire.RunProgress)]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times[:-1])]  # the last one may come early
    assert all(pause >= runs.TICK - 1e-6 for pause in pauses)
    last = [event for _, event in told if isinstance(event, wire.RunProgress)][-1]
    assert last.checks == ended.checks
    assert last.looked > 1


@pytest.mark.parametrize(
    ("missing", "reason", "says"),
    [
        (Missing("unreachable", "no connection"), "cluster-away", "no connection"),
        (Missing("timeout", "no answer"), "cluster-away", "no answer"),
        (Missing("forbidden", "the look role may not get services"), "forbidden", "may not get services"),
        (Missing("not-found", ""), "unknown-target", 'no Service "checkout"'),
    ],
)
def test_a_target_that_cannot_be_looked_up_is_an_answer(missing: Missing, reason: str, says: str) -> None:
    """Each for its reason, with a sentence."""
    ended, told, _ = run(tell(World(lambda _query: missing)))
    assert isinstance(ended, wire.RunAnswer)
    assert (ended.reason, told) == (reason, [])
    assert says in ended.detail


def test_two_hits_are_a_question() -> None:
    """With what may have been meant."""
    names = Names(("shop/checkout", "test/checkout"))
    ended, _, _ = run(tell(World(lambda _query: names), msgspec.structs.replace(TARGET, namespace="")))
    assert (ended.reason, ended.choices) == ("ambiguous", ("svc shop/checkout", "svc test/checkout"))


def test_a_cluster_that_is_away_is_an_answer() -> None:
    """With the reason."""
    ended, _, _ = run(tell(World(away=TryAgain("no connection to the API server"))))
    assert (ended.reason, "no connection to the API server" in ended.detail) == ("cluster-away", True)


def test_a_crash_of_ours_is_an_answer() -> None:
    """The run does not stay open for ever."""
    ended, _, _ = run(tell(World(away=RuntimeError("boom"))))
    assert (ended.reason, "RuntimeError: boom" in ended.detail) == ("failed", True)


def test_what_is_too_old_is_not_run() -> None:
    """Nobody waits for it any more."""
    world = World()
    ended, _, _ = run(tell(world, asked=0.0))
    assert (ended.reason, world.opened) == ("expired", 0)


def test_a_run_that_hangs_ends_in_time_with_what_it_saw() -> None:
    """The Service was seen and the rest never came: unknown, by the name of what was still running."""

    class Half(World):
        async def fetch(self, query: Query[Any]) -> Seen[Any]:
            if not isinstance(query, GetService):
                await asyncio.sleep(1000)
            return await super().fetch(query)

    def with_rules(query: Query[Any]) -> Any:
        return msgspec.structs.replace(SERVICE, cluster_ips=("10.96.0.9",)) if isinstance(query, GetService) else None

    ended, told, took = run(tell(Half(with_rules)))
    assert isinstance(ended, wire.RunDone)
    assert took <= runs.HARD + 0.1
    assert ended.report.verdict == "unknown"
    assert all("ran out of time" in one.reason for one in ended.report.unknown)
    late = [one for one in ended.checks if one.note == "ran out of time"]
    assert late
    assert {one.state for one in late} == {"failed"}
    assert len(told) < 2 * runs.HARD / runs.TICK
    assert ended.bundle


def test_a_resolution_that_hangs_ends_in_time() -> None:
    """The cluster takes the connection and says nothing."""
    ended, _, took = run(tell(World(slow=1000)))
    assert (ended.reason, took <= runs.HARD + 0.1) == ("cluster-away", True)


def test_a_bundle_that_is_too_large_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report arrives all the same."""
    monkeypatch.setattr(runs, "LARGEST_BUNDLE", 10)
    ended, _, _ = run(tell(World()))
    assert isinstance(ended, wire.RunDone)
    assert ended.bundle == b""


def test_a_late_source_opens_when_it_is_needed_and_again_after_a_failure() -> None:
    """An order's look works as soon as the cluster is back."""
    world = World(away=TryAgain("no connection"))

    async def story() -> tuple[Seen[Any], Seen[Any], Seen[Any]]:
        async with LateSource(world.source) as source:
            assert world.opened == 0
            first = await source.fetch(GetService("shop", "checkout"))
            world.away = None
            two = await asyncio.gather(*(source.fetch(GetService("shop", "checkout")) for _ in range(2)))
            return first, two[0], two[1]

    first, second, third = run(story())
    assert first.missing
    assert (first.missing.reason, first.missing.detail) == ("unreachable", "no connection")
    assert second.value == third.value == SERVICE
    assert world.opened == 2


def test_a_recorded_look_takes_as_long_as_it_did_within_limits() -> None:
    """So that people see progress, and nobody waits for it."""

    class Recorded:
        async def fetch(self, query: Query[Any]) -> Seen[Any]:
            return Seen(value=query, took=0.1 if isinstance(query, GetService) else 60.0)

    async def story() -> tuple[float, float]:
        source, begun = PacedSource(Recorded()), now()
        await source.fetch(GetService("shop", "checkout"))
        middle = now()
        await source.fetch(FindServices())
        return middle - begun, now() - middle

    assert run(story()) == pytest.approx((0.1, 0.4))
