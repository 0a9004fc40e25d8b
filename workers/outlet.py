"""How do a worker's events reach the bot, although Redis may be away for a while? And how does a run keep its lease?"""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers.core import sending, wire
from workers.core.tokens import Signer

LONGEST = 10_000  # events that the stream keeps
FIRST_WAIT, LAST_WAIT = 0.1, 2.0  # seconds between two attempts, doubled each time
FINAL, STEP, PASSING = 120.0, 10.0, 0.0  # seconds for which an event of each kind is tried again

log = structlog.get_logger()


def connect(broker_url: str) -> redis.Redis:
    """A client for the broker's URL. Short timeouts, no retries: whoever calls has its own idea of patience."""
    url = urlsplit(broker_url)
    if url.scheme == "redis+socket":  # Celery's spelling of a Unix socket
        database = parse_qs(url.query).get("virtual_host", ["0"])[0].lstrip("/")
        broker_url = f"unix://{url.netloc}{url.path}?db={database}"
    return redis.Redis.from_url(broker_url, socket_timeout=2.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0))


def patience(event: wire.Event) -> float:
    """Progress is soon out of date; an end must arrive."""
    match event:
        case wire.RunProgress() | wire.Heartbeat():
            return PASSING
        case wire.RunStarted() | wire.ChangeStarted() | wire.ChangeApplied():
            return STEP
        case _:
            return FINAL


class Outlet:
    """The stream on which one cluster's workers answer; each event is signed with the worker's key."""

    def __init__(self, client: redis.Redis, cluster: str, signer: Signer) -> None:
        self._redis = client
        self._cluster = cluster
        self._signer = signer
        self._stream = wire.stream(cluster)

    def send(self, event: wire.Event) -> bool:
        """Write the event, trying for as long as its kind deserves. False when it could not be written."""
        fields: dict[Any, Any] = {**sending.entry(self._signer, self._cluster, event)}
        ends, wait = time.monotonic() + patience(event), FIRST_WAIT
        while True:
            try:
                self._redis.xadd(self._stream, fields, maxlen=LONGEST, approximate=True)
            except redis.RedisError as error:
                if time.monotonic() + wait > ends:
                    log.warning("an event is lost", kind=type(event).__name__, reason=str(error))
                    return False
            else:
                return True
            time.sleep(wait)
            wait = min(wait * 2, LAST_WAIT)
