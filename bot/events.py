"""What do the workers say? Reads their Redis streams, and puts each word into the ledger, once in effect.

A stream entry is acknowledged after the ledger's transaction. It may therefore come twice, and what a dead replica had
taken is claimed by a living one; every effect is such that twice is as good as once. What no worker of the cluster has
signed is not believed, and a cluster's workers are heard only about that cluster's runs and changes.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from redis.exceptions import RedisError, ResponseError
from sqlalchemy import Connection

from bot.approvals import Approvals
from bot.ledger import Ledger, changes, presence, runs
from bot.runs import Runs
from workers.core import sending, wire
from workers.core.errors import NetdiagError, NotTrusted, TryAgain
from workers.core.tokens import Keyring

LOG = structlog.get_logger("events")
GROUP = "bot"
BATCH = 50
BLOCK = 1000  # milliseconds that one read waits
DEAD = 15_000  # milliseconds after which what another replica took counts as left behind
CLAIM_EVERY = 5.0  # seconds
PAUSE = 1.0  # seconds before another try when Redis or the ledger is away


class Hearer:
    """What one word of a worker does to the ledger, in the caller's transaction."""

    def __init__(self, runs_: Runs, approvals: Approvals, *, now: Callable[[], float]) -> None:
        self._now = now
        self._of_runs: dict[type, Callable[[Connection, Any], None]] = {
            wire.RunStarted: runs_.started,
            wire.RunProgress: runs_.progress,
            wire.RunDone: runs_.done,
            wire.RunAnswer: runs_.answered,
        }
        self._of_changes: dict[type, Callable[[Connection, Any], None]] = {
            wire.Planned: approvals.planned,
            wire.PlanRefused: approvals.plan_refused,
            wire.ChangeStarted: approvals.started,
            wire.ChangeApplied: approvals.applied,
            wire.ChangeEnded: approvals.ended,
        }

    def hear(self, connection: Connection, event: wire.Event, cluster: str) -> None:
        """Take one event of this cluster's workers; one that speaks of another cluster's things changes nothing."""
        if isinstance(event, wire.Heartbeat):
            presence.heard(connection, event, now=self._now())
            return
        subject = _subject(event)
        about = runs.get(connection, subject) or changes.get(connection, subject)
        if about is None or about.cluster != cluster:
            LOG.warning("not-ours", event_kind=type(event).__name__, subject=subject, cluster=cluster)
            return
        effect = self._of_runs.get(type(event)) or self._of_changes[type(event)]
        effect(connection, event)


class Listener:
    """Reads the streams of clusters as `name`, one member of the group of all replicas.

    rings: cluster -> role -> the public keys of its workers: what they did not sign is not heard.
    """

    def __init__(
        self, redis: Any, ledger: Ledger, hearer: Hearer, rings: Mapping[str, Mapping[str, Keyring]], *, name: str
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._hearer = hearer
        self._clusters = {wire.stream(cluster): cluster for cluster in rings}
        self._rings = rings
        self._name = name

    async def run(self) -> None:
        """Listen until cancelled."""
        claimed = float("-inf")
        clock = asyncio.get_running_loop().time
        while True:
            try:
                if clock() - claimed > CLAIM_EVERY:
                    await self._join()
                    await self._claim()
                    claimed = clock()
                await self._read()
            except (RedisError, OSError) as error:
                LOG.warning("redis-away", error=str(error))
                claimed = float("-inf")  # it may have been flushed: the group has to be made again
                await asyncio.sleep(PAUSE)

    async def _join(self) -> None:
        for stream in self._clusters:
            try:
                # From the beginning: after a flush the workers may have spoken before we are back.
                await self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def _read(self) -> None:
        streams = dict.fromkeys(self._clusters, ">")
        answer = await self._redis.xreadgroup(GROUP, self._name, streams, count=BATCH, block=BLOCK)
        for stream, entries in answer.items() if isinstance(answer, dict) else answer or ():
            for entry_id, fields in _entries(entries):
                await self._take(_text(stream), entry_id, fields)

    async def _claim(self) -> None:
        for stream in self._clusters:
            answer = await self._redis.xautoclaim(stream, GROUP, self._name, min_idle_time=DEAD, count=BATCH)
            for entry_id, fields in _entries(answer[1]):
                await self._take(stream, entry_id, fields)

    async def _take(self, stream: str, entry_id: Any, fields: Any) -> None:
        cluster = self._clusters[stream]
        try:
            event = sending.believed(fields or {}, cluster, self._rings[cluster])
        except (msgspec.MsgspecError, UnicodeDecodeError, NotTrusted) as error:
            LOG.error("not-believed", stream=stream, entry=_text(entry_id), error=str(error))  # noqa: TRY400 - no stack
        else:
            await self._effect(event, cluster)
        await self._redis.xack(stream, GROUP, entry_id)

    async def _effect(self, event: wire.Event, cluster: str) -> None:
        subject = _subject(event)
        while True:
            try:
                await self._ledger.write(lambda connection: self._hearer.hear(connection, event, cluster))
            except TryAgain as error:
                LOG.warning("ledger-away", error=str(error))
                await asyncio.sleep(PAUSE)
            except (NetdiagError, LookupError, ValueError):
                LOG.exception("event-failed", event_kind=type(event).__name__, subject=subject)
                return
            else:
                if not isinstance(event, wire.Heartbeat):
                    LOG.info("heard", event_kind=type(event).__name__, subject=subject, cluster=cluster)
                return


def _subject(event: wire.Event) -> str:
    """The run or the change that an event is about; empty for a heartbeat."""
    return str(getattr(event, "run", "") or getattr(event, "approval", ""))


def _entries(entries: Any) -> list[tuple[Any, Any]]:
    """The entries of one stream, whichever way the client wraps them."""
    found: list[tuple[Any, Any]] = []
    for one in entries or ():
        if isinstance(one, list):
            found += _entries(one)
        elif one and one[0] is not None:
            found.append((one[0], one[1]))
    return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
