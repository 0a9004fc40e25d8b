"""How are proposed changes and their grants stored and found?"""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, insert, select, update

from bot.ledger.tables import APPROVALS, GRANTS
from bot.records import Change
from workers.core.approval import TRANSITIONS, State
from workers.core.errors import TryAgain

STORED = msgspec.json.Encoder()
# A change whose end nobody knows does not hold its target: people must be able to look, and to try again.
HOLDING = tuple(state for state in TRANSITIONS if TRANSITIONS[state] and state is not State.UNKNOWN)


def add(connection: Connection, change: Change) -> None:
    """Store a new change."""
    row = {"id": change.id, "run": change.run, "lock": change.lock, "state": change.approval.state}
    connection.execute(insert(APPROVALS).values(**row, body=STORED.encode(change).decode()))


def get(connection: Connection, change: str) -> Change | None:
    """The change of this id."""
    body = connection.execute(select(APPROVALS.c.body).where(APPROVALS.c.id == change)).scalar()
    return msgspec.json.decode(body, type=Change) if body else None


def save(connection: Connection, old: Change, new: Change) -> None:
    """Store the next version. Raises TryAgain when the change is no longer in the state of `old`."""
    changed = connection.execute(
        update(APPROVALS)
        .where(APPROVALS.c.id == old.id, APPROVALS.c.state == old.approval.state)
        .values(state=new.approval.state, body=STORED.encode(new).decode())
    )
    if changed.rowcount != 1:
        raise TryAgain(f"the change {old.id} was changed by somebody else")


def in_states(connection: Connection, states: Iterable[State]) -> list[Change]:
    """The changes in these states."""
    rows = connection.execute(select(APPROVALS.c.body).where(APPROVALS.c.state.in_(list(states))))
    return [msgspec.json.decode(body, type=Change) for (body,) in rows]


def of_run(connection: Connection, run: str) -> list[Change]:
    """The changes that were proposed from this run."""
    rows = connection.execute(select(APPROVALS.c.body).where(APPROVALS.c.run == run))
    return [msgspec.json.decode(body, type=Change) for (body,) in rows]


def holding(connection: Connection, lock: str) -> Change | None:
    """The change that is under way on this target, if one is."""
    query = select(APPROVALS.c.body).where(APPROVALS.c.lock == lock, APPROVALS.c.state.in_(HOLDING))
    body = connection.execute(query).scalar()
    return msgspec.json.decode(body, type=Change) if body else None


def grant(connection: Connection, change: str, person: str, token: str, *, at: float) -> None:
    """Keep one person's signed yes; a second one of the same person breaks the primary key."""
    connection.execute(insert(GRANTS).values(approval=change, person=person, at=at, token=token))


def grants(connection: Connection, change: str) -> tuple[str, ...]:
    """The signed grants of this change, oldest first."""
    rows = connection.execute(select(GRANTS.c.token).where(GRANTS.c.approval == change).order_by(GRANTS.c.at))
    return tuple(token for (token,) in rows)
