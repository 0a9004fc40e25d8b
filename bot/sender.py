"""Which tasks still have to be sent, or sent again?

A task's row stays in the outbox until its last event has come. Redis may be away (the row waits), or be flushed (the
mark that was left beside the task is gone, so it is sent again, with the same id: runs are repeated harmlessly, changes
are held by their claim in the cluster). Each sending carries a fresh token.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
import structlog
from sqlalchemy import Connection

from bot.broker import Broker
from bot.ledger import Ledger, changes, outbox
from bot.ledger.audit import NETDIAG, Scribe
from bot.ledger.outbox import NEVER, PERHAPS, Order, Row
from workers.core import sending
from workers.core.errors import TryAgain
from workers.core.tokens import Signer

LOG = structlog.get_logger("sender")
IDLE = 0.5  # seconds between rounds when nothing calls for one
SWEEP = 15.0  # seconds after which a sent task without an end is looked after
RETRY = 2.0  # seconds between tries while Redis is away


class Sender:
    """Empties the outbox's tasks into Redis. `now`: the wall clock."""

    def __init__(
        self, ledger: Ledger, broker: Broker, signer: Signer, scribe: Scribe, *, now: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self._signer = signer
        self._scribe = scribe
        self._now = now
        self._news = asyncio.Event()
        ledger.heard.append(self._news.set)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._news.clear()
            try:
                await self.round()
            except TryAgain as error:
                LOG.warning("away", error=str(error))
                await asyncio.sleep(IDLE)
            with suppress(TimeoutError):
                # Not wait_for: Python 3.11's may swallow a cancellation that comes together with the news.
                async with asyncio.timeout(IDLE):
                    await self._news.wait()

    async def round(self) -> None:
        """Send, or look after, everything that is due."""
        rows = await self._ledger.read(lambda connection: outbox.due(connection, ("task",), now=self._now()))
        await asyncio.gather(*(self._look_after(row) for row in rows))

    async def _look_after(self, row: Row) -> None:
        order = msgspec.json.decode(row.payload, type=Order)
        try:
            await self._broker.reach()
            if row.sent > NEVER and await self._broker.kept(order.cluster, row.key):
                await self._later(row, SWEEP)
            elif self._now() < order.until:
                await self._send(row, order)
            else:
                await self._ledger.write(lambda connection: outbox.drop(connection, "task", row.key))
        except TryAgain as error:
            LOG.warning("not-sent", task=row.key, error=str(error))
            await self._later(row, RETRY)

    async def _send(self, row: Row, order: Order) -> None:
        if row.sent > NEVER:
            LOG.info("sent-again", task=row.key, reason="Redis no longer holds it")
        # Written before the attempt: an order that may have left must never be taken for one that did not.
        await self._later(row, RETRY, sent=PERHAPS)
        now = self._now()
        life = max(order.until - now, 1.0)
        token = sending.headers(self._signer, order.name, row.key, order.cluster, order.text, now=now, ttl=life)
        await self._broker.publish(
            order.cluster,
            queue=order.queue,
            name=order.name,
            task_id=row.key,
            text=order.text,
            headers=token,
            life=life,
        )
        LOG.info("sent", task=row.key, queue=order.queue)
        await self._ledger.write(lambda connection: self._sent(connection, row, order))

    def _sent(self, connection: Connection, row: Row, order: Order) -> None:
        outbox.later(connection, row, due=self._now() + SWEEP, sent=self._now())
        if order.name != sending.CHANGE:
            return
        change_id = row.key.removeprefix("change-")
        change = changes.get(connection, change_id)
        if change:
            data = {"run": change.run, "digest": change.digest, "queue": order.queue, "again": row.sent > NEVER}
            self._scribe.write(
                connection, "order-sent", actor=NETDIAG, subject=change_id, cluster=order.cluster, data=data
            )

    async def _later(self, row: Row, seconds: float, *, sent: float | None = None) -> None:
        await self._ledger.write(lambda c: outbox.later(c, row, due=self._now() + seconds, sent=sent))
