"""The one door to the world, over any source: each query is asked once, within a budget, redacted, and recorded.

A live cluster, a bundle and a direct kubeconfig are sources; what stands behind the door is all that differs.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

import msgspec

from workers.collect.redact import redacted
from workers.core.declare import A, B
from workers.core.query import Missing, NodeQuery, Query, Seen, T

LONGEST_WAIT = 30.0  # seconds that a second look may wait
OVER_BUDGET = Missing("over-budget", "this run has used up its budget of queries or of time")


class Source(Protocol):
    """Answers queries. An expected failure is a `Seen` with its reason, never an exception."""

    async def fetch(self, query: Query[T]) -> Seen[T]:
        """Ask now."""


class Recorded(msgspec.Struct, frozen=True):
    """One look of a run: the query, whether it was the first or the second look (`nth` 1 or 2), and what was seen."""

    query: Query[Any]
    nth: int
    seen: Seen[Any]


class Looker:
    """Looks on behalf of one run, and keeps what was seen.

    budget: queries at most. until: a time of `now`'s clock after which nothing more is asked. wait: false for a
    recorded source, whose second looks are there already. on_look: called with the number of looks taken so far.
    """

    def __init__(
        self,
        source: Source,
        *,
        now: Callable[[], float],
        until: float = float("inf"),
        budget: int = 20_000,
        wait: bool = True,
        on_look: Callable[[int], None] | None = None,
    ) -> None:
        self._source = source
        self._now = now
        self._until = until
        self._budget = budget
        self._wait = wait
        self._on_look = on_look
        self._answered = 0
        self._asked: dict[tuple[Query[Any], int], asyncio.Task[Seen[Any]]] = {}

    async def __call__(self, query: Query[T]) -> Seen[T]:
        """The answer; the same query twice is asked once."""
        return await self._once(query, 1, self._fetch)

    async def all(self, queries: Iterable[Query[T]]) -> list[Seen[T]]:
        """The answers, asked in parallel, in the queries' order."""
        return list(await asyncio.gather(*(self(query) for query in queries)))

    async def both(self, one: Query[A], other: Query[B]) -> tuple[Seen[A], Seen[B]]:
        """Two answers of different kinds, asked in parallel."""
        first, second = await asyncio.gather(self(one), self(other))
        return first, second

    async def later(self, query: Query[T], *, after: float) -> Seen[T]:
        """The second answer, not before `after` seconds have passed since the first."""
        first = await self(query)

        async def again(query: Query[T]) -> Seen[T]:
            pause = min(first.at + after - self._now(), LONGEST_WAIT)
            if self._wait and pause > 0:
                await asyncio.sleep(pause)
            return await self._fetch(query)

        return await self._once(query, 2, again)

    def recorded(self) -> tuple[Recorded, ...]:
        """Every look that has been answered, in the order in which they were asked."""
        return tuple(
            Recorded(query, nth, task.result())
            for (query, nth), task in self._asked.items()
            if task.done() and not task.cancelled() and task.exception() is None
        )

    async def _once(
        self, query: Query[T], nth: int, ask: Callable[[Query[T]], Coroutine[Any, Any, Seen[T]]]
    ) -> Seen[T]:
        key = (query, nth)
        task = self._asked.get(key)
        if task is None:
            spent = len(self._asked) >= self._budget or self._now() > self._until
            # A refusal is recorded as well: a replay of this run has to come to the same end.
            task = self._asked[key] = asyncio.ensure_future(self._refused(query) if spent else ask(query))
        # One check that is cancelled must not take the answer away from the others that wait for it.
        return await asyncio.shield(task)

    async def _refused(self, query: Query[T]) -> Seen[T]:
        node = query.node if isinstance(query, NodeQuery) else ""
        return Seen(missing=OVER_BUDGET, node=node, at=self._now())

    async def _fetch(self, query: Query[T]) -> Seen[T]:
        seen = redacted(query, await self._source.fetch(query))
        self._answered += 1
        if self._on_look:
            self._on_look(self._answered)
        return seen
