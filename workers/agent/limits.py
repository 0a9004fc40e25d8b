"""How much may be asked of one agent? Everything that callers can fill is bounded here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from workers.core.errors import TryAgain


class Nonces:
    """The nonces that were used, each as long as a token with it could be shown again."""

    def __init__(self, most: int = 8192) -> None:
        self._until: dict[str, float] = {}
        self._most = most

    def use(self, nonce: str, *, until: float, now: float) -> bool:
        """False when it was used before. Raises TryAgain when no more can be remembered: forgetting would be a hole."""
        if nonce in self._until and self._until[nonce] >= now:
            return False
        if len(self._until) >= self._most:
            self._until = {known: end for known, end in self._until.items() if end >= now}
            if len(self._until) >= self._most:
                raise TryAgain("too many requests in a short time")
        self._until[nonce] = until
        return True


class Turns:
    """At most `running` at once, and `waiting` behind them."""

    def __init__(self, running: int = 4, waiting: int = 16) -> None:
        self._places = running + waiting
        self._gate = asyncio.Semaphore(running)
        self.taken = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Raises TryAgain at once when the queue is full."""
        if self.taken >= self._places:
            raise TryAgain("too many probes at once")
        self.taken += 1
        try:
            async with self._gate:
                yield
        finally:
            self.taken -= 1


class Rate:
    """`burst` at once, and `per_second` in the long run (a token bucket); time is any clock that only rises."""

    def __init__(self, per_second: float = 20.0, burst: int = 20) -> None:
        self._per_second, self._burst = per_second, float(burst)
        self._left, self._at = float(burst), 0.0

    def allow(self, now: float) -> bool:
        """Is there room for one more now?"""
        self._left = min(self._burst, self._left + max(now - self._at, 0.0) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
