"""What do the workers look at and change: a live cluster, or a recorded one?"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, Self

from workers import catalogue
from workers.apply.live import LiveWriter
from workers.apply.recorded import FLIPPED, RecordedWriter
from workers.apply.writer import Writer
from workers.collect.bundle import Bundle, BundleSource, unpack
from workers.collect.cluster.api import Api
from workers.collect.live import LiveSource
from workers.collect.look import Source
from workers.collect.nodes import AgentClient
from workers.core.errors import TryAgain, TypedWrongly
from workers.core.query import Missing, Query, Seen, T
from workers.core.tokens import Signer

SLOWEST = 0.4  # seconds that a recorded look takes at most


class World(Protocol):
    """A cluster, to look at and to change."""

    recorded: bool

    def source(self) -> AbstractAsyncContextManager[Source]:
        """A source for one run. Raises TryAgain when the cluster is away."""

    @property
    def writer(self) -> Writer:
        """The door to change."""


class LiveWorld:
    """A real cluster. One connection pool to its API server a process; fresh connections to the agents a run."""

    recorded = False

    def __init__(self, api: Api, signer: Signer, *, clock: Callable[[], float]) -> None:
        self._api = api
        self._signer = signer
        self._clock = clock
        self.writer = LiveWriter(api)

    @contextlib.asynccontextmanager
    async def source(self) -> AsyncIterator[Source]:
        """See World."""
        agents = AgentClient(self._signer, clock=self._clock)
        try:
            yield await LiveSource.open(self._api, agents, clock=self._clock)
        finally:
            await agents.close()


class RecordedWorld:
    """Evidence recorded before and after a change, in `folder`: before.bundle, after.bundle, and what is remembered
    between processes in `state/`.
    """

    recorded = True

    def __init__(self, folder: Path) -> None:
        self._before, self._after = _bundle(folder / "before.bundle"), _bundle(folder / "after.bundle")
        self._state = folder / "state"
        self._state.mkdir(exist_ok=True)
        self.writer = RecordedWriter(self._state, before=self._before, after=self._after)

    @contextlib.asynccontextmanager
    async def source(self) -> AsyncIterator[Source]:
        """See World."""
        before, after = BundleSource(self._before), BundleSource(self._after)
        yield PacedSource(FlippingSource(before, after, flipped=(self._state / FLIPPED).exists))


class LateSource:
    """Opens a source when the first look is taken, and again while that fails: an order must come to its end also
    while the cluster is away.
    """

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[Source]]) -> None:
        self._open = opened
        self._source: Source | None = None
        self._lock = asyncio.Lock()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def fetch(self, query: Query[T]) -> Seen[T]:
        """The source's answer; `unreachable` while there is no source."""
        try:
            source = await self._opened()
        except TryAgain as error:
            return Seen(missing=Missing("unreachable", str(error)), source="api")
        return await source.fetch(query)

    async def _opened(self) -> Source:
        async with self._lock:
            if self._source is None:
                self._source = await self._stack.enter_async_context(self._open())
            return self._source


class FlippingSource:
    """The world before a change, and from the moment that it is made the world after: also within one order."""

    def __init__(self, before: Source, after: Source, *, flipped: Callable[[], bool]) -> None:
        self._before = before
        self._after = after
        self._flipped = flipped

    async def fetch(self, query: Query[T]) -> Seen[T]:
        """What is there now."""
        return await (self._after if self._flipped() else self._before).fetch(query)


class PacedSource:
    """Takes as long as the recorded look did, within limits, so that people see a run's progress."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def fetch(self, query: Query[T]) -> Seen[T]:
        """What was recorded, a little later."""
        seen = await self._source.fetch(query)
        await asyncio.sleep(min(seen.took, SLOWEST))
        return seen


def _bundle(path: Path) -> Bundle:
    try:
        return unpack(path.read_bytes(), catalogue.query_types())
    except OSError as error:
        raise TypedWrongly(f"cannot read the recorded evidence {path}: {error.strerror}") from error
