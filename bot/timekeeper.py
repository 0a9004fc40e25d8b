"""What ends by itself, and what waits for somebody who is away? Asked every second, of the ledger alone."""

import asyncio
from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from bot.approvals import Approvals
from bot.ledger import Ledger, presence
from bot.runs import Runs
from workers.core.errors import TryAgain

LOG = structlog.get_logger("timekeeper")
EVERY = 1.0  # seconds


class Timekeeper:
    """Lets the clock act on runs and changes. `now`: the wall clock."""

    def __init__(self, ledger: Ledger, runs: Runs, approvals: Approvals, *, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._runs = runs
        self._approvals = approvals
        self._now = now

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            try:
                await self._ledger.write(self.tick)
            except TryAgain as error:
                LOG.warning("ledger-away", error=str(error))
            await asyncio.sleep(EVERY)

    def tick(self, connection: Connection) -> None:
        """What is due by now, in the caller's transaction."""
        self._runs.tick(connection)
        self._approvals.tick(connection)
        presence.forget(connection, now=self._now())
