"""What has happened in the simulated workspace, in order? For tests to assert, and for the page to follow live."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Happened(msgspec.Struct, frozen=True):
    """One thing that happened: its number from 1, when (Unix seconds), what kind, and the facts."""

    n: int
    at: float
    kind: str
    data: dict[str, Any]


class EventLog:
    """Everything that happened since the start."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wakers: set[asyncio.Event] = set()
        self.all: list[Happened] = []

    def add(self, kind: str, /, **data: Any) -> Happened:
        """Write one thing down and wake whoever waits."""
        event = Happened(len(self.all) + 1, self._clock(), kind, data)
        self.all.append(event)
        for waker in self._wakers:
            waker.set()
        return event

    def of(self, kind: str, /, **facts: Any) -> list[Happened]:
        """The events of a kind whose data hold these facts."""
        return [event for event in self.all if event.kind == kind and facts.items() <= event.data.items()]

    async def wait(self, predicate: Callable[[], T | None], timeout: float) -> T:  # noqa: ASYNC109 - a waiter's own word
        """The first true value of `predicate`, which is asked after each event.

        Raises TimeoutError, with the last events in its message, after `timeout` seconds.
        """
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            async with asyncio.timeout(timeout):
                while not (value := predicate()):
                    await waker.wait()
                    waker.clear()
                return value
        except TimeoutError as error:
            tail = "\n".join(f"  {event.n} {event.kind} {event.data}"[:400] for event in self.all[-12:])
            raise TimeoutError(f"not within {timeout} s; the last events were:\n{tail}") from error
        finally:
            self._wakers.discard(waker)

    async def follow(self, after: int = 0) -> AsyncIterator[Happened]:
        """Every event with a number above `after`, as it comes, for ever."""
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            while True:
                for event in self.all[after:]:
                    yield event
                    after = event.n
                await waker.wait()
                waker.clear()
        finally:
            self._wakers.discard(waker)
