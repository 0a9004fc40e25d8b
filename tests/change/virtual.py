"""A clock of which an hour passes in no time: an event loop that skips every wait."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
BEGUN = 1_800_000_000.0  # Unix time at which every test begins
LONGEST = 3600.0  # virtual seconds after which a test hangs


class _Selector(selectors.DefaultSelector):
    """Moves the clock forward instead of waiting; a little sleep would be a little flaky."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is the selector's."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._clock.now


def now() -> float:
    """Unix time, virtually."""
    return BEGUN + asyncio.get_running_loop().time()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end, in no time."""

    async def limited() -> T:
        async with asyncio.timeout(LONGEST):
            return await coroutine

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(limited())
