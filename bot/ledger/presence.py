"""What came already, and which workers live?"""

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.sql import func

from bot.ledger.tables import HANDLED, WORKERS
from workers.core.wire import Heartbeat

REMEMBERED = 2 * 3600.0  # seconds; Slack repeats an event for five minutes at most
FRESH = 30.0  # seconds within which a worker must have been heard to count as being there
GONE = 7 * 86_400.0  # seconds


def first_time(connection: Connection, key: str, *, at: float) -> bool:
    """Is this the first delivery of `key`? If so it counts as handled, once this transaction is committed."""
    if connection.execute(select(HANDLED.c.key).where(HANDLED.c.key == key)).first():
        return False
    connection.execute(insert(HANDLED).values(key=key, at=at))
    return True


def forget(connection: Connection, *, now: float) -> None:
    """Forget deliveries that cannot come again, and workers that are long gone."""
    connection.execute(delete(HANDLED).where(HANDLED.c.at < now - REMEMBERED))
    connection.execute(delete(WORKERS).where(WORKERS.c.at < now - GONE))


def heard(connection: Connection, beat: Heartbeat, *, now: float) -> None:
    """A worker lives. Its clock is not believed beyond ours."""
    at = min(beat.at, now)
    same = (WORKERS.c.cluster == beat.cluster, WORKERS.c.role == beat.role, WORKERS.c.worker == beat.worker)
    if connection.execute(select(WORKERS.c.at).where(*same)).first():
        connection.execute(update(WORKERS).where(*same, WORKERS.c.at < at).values(at=at, release=beat.release))
    else:
        key = {"cluster": beat.cluster, "role": beat.role, "worker": beat.worker}
        connection.execute(insert(WORKERS).values(**key, release=beat.release, at=at))


def last_heard(connection: Connection, cluster: str, role: str) -> float:
    """When the last worker of this role was heard; 0: never."""
    query = select(func.max(WORKERS.c.at)).where(WORKERS.c.cluster == cluster, WORKERS.c.role == role)
    return connection.execute(query).scalar() or 0.0
