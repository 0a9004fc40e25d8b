"""What still has to leave the house: cards to draw, replies to say, tasks to send?

A row is put here in the transaction that gives the reason for it, and removed when it is out. A key is there once: a
card that changes again before it was drawn is drawn once, as it is then.
"""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, insert, or_, select, update

from bot.ledger.tables import MESSAGES, OUTBOX
from bot.records import Message

Kind = Literal["card", "reply", "task"]
PERHAPS = -1.0  # `sent` of a task that may have reached Redis
NEVER = 0.0


class Row(NamedTuple):
    """One thing to send. See the columns of `tables.OUTBOX`."""

    id: int
    kind: str
    key: str
    version: int
    payload: str
    created: float
    due: float
    tries: int
    sent: float


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """Words for one person: by the response_url if there is one, else as an ephemeral message."""

    channel: str
    account: str
    text: str
    blocks: tuple[dict[str, Any], ...] = ()
    thread: str = ""
    response_url: str = ""


class Order(msgspec.Struct, frozen=True):
    """A task for a worker: its Celery name and queue, and the JSON text that is its one argument.

    until: when it is worth nothing any more, Unix seconds.
    """

    cluster: str
    queue: str
    name: str
    text: str
    until: float


def put(connection: Connection, kind: Kind, key: str, payload: str, *, now: float) -> None:
    """Add a row, or make the one that is there newer."""
    there = (OUTBOX.c.kind == kind, OUTBOX.c.key == key)
    newer = update(OUTBOX).where(*there).values(version=OUTBOX.c.version + 1, payload=payload)
    if connection.execute(newer).rowcount == 0:
        row = {"kind": kind, "key": key, "version": 1, "payload": payload, "created": now, "due": now}
        connection.execute(insert(OUTBOX).values(**row, tries=0, sent=NEVER))


def redraw(connection: Connection, key: str, *, now: float) -> None:
    """The message `key` no longer shows what is so."""
    put(connection, "card", key, "", now=now)


def reply(connection: Connection, key: str, words: Reply, *, now: float) -> None:
    """Say something to one person; `key` is what it answers, so that a double says it once."""
    put(connection, "reply", key, msgspec.json.encode(words).decode(), now=now)


def order(connection: Connection, task_id: str, task: Order, *, now: float) -> None:
    """Send a task; it stays here until its last event has come."""
    put(connection, "task", task_id, msgspec.json.encode(task).decode(), now=now)


def due(connection: Connection, kinds: Iterable[Kind], *, now: float, limit: int = 100) -> list[Row]:
    """What should leave by now, in the order in which it was asked for."""
    query = select(OUTBOX).where(OUTBOX.c.kind.in_(list(kinds)), OUTBOX.c.due <= now)
    return [Row(*row) for row in connection.execute(query.order_by(OUTBOX.c.created, OUTBOX.c.id).limit(limit))]


def sayable(connection: Connection, *, now: float, limit: int = 1000) -> list[tuple[Row, str, str]]:
    """The cards and replies that can leave by now, each with the channel and the ts of its message (if it has one).

    A card whose thread is not there yet cannot. One query, since it is asked after every change.
    """
    parents = MESSAGES.alias("parents")
    own = (OUTBOX.c.kind == "card") & (MESSAGES.c.key == OUTBOX.c.key)
    joined = OUTBOX.outerjoin(MESSAGES, own).outerjoin(parents, parents.c.key == MESSAGES.c.parent)
    threaded = or_(
        MESSAGES.c.key.is_(None),
        MESSAGES.c.ts != "",
        MESSAGES.c.thread != "",
        MESSAGES.c.parent == "",
        parents.c.ts != "",
    )
    query = (
        select(OUTBOX, MESSAGES.c.channel, MESSAGES.c.ts)
        .select_from(joined)
        .where(OUTBOX.c.kind.in_(("card", "reply")), OUTBOX.c.due <= now, threaded)
        .order_by(OUTBOX.c.created, OUTBOX.c.id)
        .limit(limit)
    )
    return [(Row(*row[:-2]), row[-2] or "", row[-1] or "") for row in connection.execute(query)]


def find(connection: Connection, kind: Kind, key: str) -> Row | None:
    """The row of this key."""
    row = connection.execute(select(OUTBOX).where(OUTBOX.c.kind == kind, OUTBOX.c.key == key)).first()
    return Row(*row) if row else None


def done(connection: Connection, row: Row, *, now: float) -> None:
    """It is out. If it became newer meanwhile it stays, behind those that have waited longer."""
    removed = connection.execute(delete(OUTBOX).where(OUTBOX.c.id == row.id, OUTBOX.c.version == row.version))
    if removed.rowcount == 0:
        connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(created=now, due=now, tries=0))


def drop(connection: Connection, kind: Kind, key: str) -> None:
    """Nobody needs it any more."""
    connection.execute(delete(OUTBOX).where(OUTBOX.c.kind == kind, OUTBOX.c.key == key))


def later(connection: Connection, row: Row, *, due: float, sent: float | None = None) -> None:
    """Try again at `due`; `sent`: what is known about it by now."""
    values: dict[str, Any] = {"due": due, "tries": OUTBOX.c.tries + 1}
    if sent is not None:
        values["sent"] = sent
    connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(**values))


def add_message(connection: Connection, message: Message) -> None:
    """Remember a message that is to be posted; one that is known already stays as it is."""
    if not connection.execute(select(MESSAGES.c.key).where(MESSAGES.c.key == message.key)).first():
        connection.execute(insert(MESSAGES).values(**message._asdict()))


def message(connection: Connection, key: str) -> Message | None:
    """The message of this key."""
    row = connection.execute(select(MESSAGES).where(MESSAGES.c.key == key)).first()
    return Message(*row) if row else None


def posted(connection: Connection, key: str, *, ts: str, digest: str) -> None:
    """Remember where the message is (empty `ts`: nowhere any more), and what it shows."""
    connection.execute(update(MESSAGES).where(MESSAGES.c.key == key).values(ts=ts, hash=digest))
