"""Is this delivery of a run the one that does it? One run, one report, however often its message comes.

A key in Redis names who works on the run, and lapses within seconds when that worker dies. A copy of the message that
finds it alive is dropped, because the first one stays unacknowledged and comes back if its worker dies. That one, which
Celery marks as redelivered, waits until the key lapses, or says that the run is done.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import redis
import structlog

LAPSE = 12.0  # seconds after which a dead worker's lease is gone
RENEW = 4.0  # seconds
REMEMBER = 3600  # seconds for which a finished run is known; its task's token does not live longer
DONE = b"done"

log = structlog.get_logger()


class Leases:
    """The leases of one cluster's runs. holder: this worker, in words."""

    def __init__(self, client: redis.Redis, cluster: str, holder: str) -> None:
        self._redis = client
        self._prefix = f"netdiag:{cluster}:run:"
        self._holder = holder

    @contextlib.asynccontextmanager
    async def held(self, run: str, *, redelivered: bool) -> AsyncIterator[bool]:
        """True: do it; when the block ends without an error, it is done. False: somebody does it, or has done it.

        Without Redis nobody can tell, and a run changes nothing: then it is True.
        """
        if not await self._take(run, patient=redelivered):
            yield False
            return
        renewing = asyncio.ensure_future(self._renew(run))
        try:
            yield True
            await self._set(run, DONE, REMEMBER)
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing

    async def _take(self, run: str, *, patient: bool) -> bool:
        while True:
            try:
                taken, value = await asyncio.to_thread(self._try, run)
            except redis.RedisError as error:
                log.warning("a run without a lease", run=run, reason=str(error))
                return True
            if taken or value == DONE or not patient:
                return taken
            await asyncio.sleep(1.0)

    def _try(self, run: str) -> tuple[bool, object]:
        key = self._prefix + run
        taken = self._redis.set(key, self._holder, nx=True, px=int(LAPSE * 1000))
        return bool(taken), None if taken else self._redis.get(key)

    async def _renew(self, run: str) -> None:
        while True:
            await asyncio.sleep(RENEW)
            await self._set(run, self._holder.encode(), LAPSE)

    async def _set(self, run: str, value: bytes, seconds: float) -> None:
        try:
            await asyncio.to_thread(self._redis.set, self._prefix + run, value, px=int(seconds * 1000))
        except redis.RedisError as error:
            log.warning("a lease is not written", run=run, reason=str(error))
