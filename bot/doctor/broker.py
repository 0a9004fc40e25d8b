"""Does Redis answer, will it keep what it holds, and do the workers of every cluster speak there?"""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from bot.doctor.result import Result
from bot.ledger.presence import FRESH
from workers.core import sending, wire
from workers.core.errors import NotTrusted
from workers.core.tokens import Keyring
from workers.release import RELEASE

LATEST = 500  # entries of a cluster's stream that are read, newest first
SKEW = 5.0  # seconds; tokens are short-lived


async def examine(redis: Any, rings: Mapping[str, Mapping[str, Keyring]]) -> list[Result]:
    """Redis itself, then each cluster's workers. rings: cluster -> role -> their public keys."""
    try:
        await redis.ping()
        workers = [await _workers(redis, cluster, ring) for cluster, ring in rings.items()]
        return [await _kept(redis), *(one for results in workers for one in results)]
    except (RedisError, OSError) as error:
        fix = "Start Redis, or mend NETDIAG_BROKER_URL. The bot answers meanwhile, and delivers later."
        return [Result("broker", "failed", f"Redis does not answer: {error}", fix)]


async def _kept(redis: Any) -> Result:
    try:
        answer = await redis.config_get("appendonly")
    except (NoPermissionError, ResponseError):
        said = "Redis answers; it does not let this user read whether it keeps an append-only file"
        return Result("broker", "unknown", said, "Look on its host: redis-cli config get appendonly.")
    values = {_text(name): _text(value) for name, value in answer.items()}
    if values.get("appendonly") != "yes":
        said = "Redis answers, and forgets everything when it is restarted"
        fix = "Set `appendonly yes`. Nothing is lost without it, but waiting runs start again later."
        return Result("broker", "warning", said, fix)
    return Result("broker", "ok", "Redis answers, and keeps an append-only file")


async def _workers(redis: Any, cluster: str, ring: Mapping[str, Keyring]) -> list[Result]:
    beats = await _beats(redis, cluster, ring)
    return [_role(cluster, role, [beat for beat in beats if beat.role == role]) for role in ("look", "change")]


async def _beats(redis: Any, cluster: str, ring: Mapping[str, Keyring]) -> list[wire.Heartbeat]:
    """The newest heartbeat of every worker that has spoken lately, and signed what it said."""
    newest: dict[str, wire.Heartbeat] = {}
    for _, fields in await redis.xrevrange(wire.stream(cluster), count=LATEST):
        try:
            event = sending.believed(fields, cluster, ring)
        except (msgspec.MsgspecError, UnicodeDecodeError, NotTrusted):
            continue
        if isinstance(event, wire.Heartbeat):
            newest.setdefault(event.worker, event)
    return list(newest.values())


def _role(cluster: str, role: str, beats: list[wire.Heartbeat]) -> Result:
    what, now = f"{role} workers of {cluster}", time.time()
    alive = [beat for beat in beats if now - beat.at < FRESH]
    if not alive:
        last = (
            f"the last was heard {now - max(beat.at for beat in beats):.0f} s ago" if beats else "none was ever heard"
        )
        if role == "change":
            return Result(what, "warning", f"{last}: nothing can be changed", _start(role, cluster))
        return Result(what, "failed", last, _start(role, cluster))
    ahead = max(beat.at - now for beat in alive)
    if ahead > SKEW:
        said = f"the clock of one is {ahead:.0f} s ahead of this host's"
        return Result(what, "failed", said, "Let both hosts follow a time server: tokens live for seconds only.")
    if other := sorted({beat.release for beat in alive} - {RELEASE}):
        said = f"{len(alive)} alive, of release {', '.join(other)}; the bot is {RELEASE}"
        return Result(what, "failed", said, "Bot and workers must be of one release.")
    return Result(what, "ok", f"{len(alive)} alive, release {RELEASE}")


def _start(role: str, cluster: str) -> str:
    return f"Start one: netdiag worker --role {role} --cluster {cluster}."


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
