"""How are runs stored and found?"""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, insert, select, update

from bot.ledger.tables import BUNDLES, RUNS
from bot.records import Run
from workers.core.errors import TryAgain
from workers.core.run import State

STORED = msgspec.json.Encoder()


def add(connection: Connection, run: Run) -> None:
    """Store a new run."""
    row = {"id": run.id, "cluster": run.cluster, "state": run.state, "asked": run.asked}
    connection.execute(insert(RUNS).values(**row, body=STORED.encode(run).decode()))


def get(connection: Connection, run: str) -> Run | None:
    """The run of this id."""
    body = connection.execute(select(RUNS.c.body).where(RUNS.c.id == run)).scalar()
    return msgspec.json.decode(body, type=Run) if body else None


def save(connection: Connection, old: Run, new: Run) -> None:
    """Store the next version. Raises TryAgain when the run is no longer in the state of `old`."""
    changed = connection.execute(
        update(RUNS)
        .where(RUNS.c.id == old.id, RUNS.c.state == old.state)
        .values(state=new.state, body=STORED.encode(new).decode())
    )
    if changed.rowcount != 1:
        raise TryAgain(f"the run {old.id} was changed by somebody else")


def in_states(connection: Connection, states: Iterable[State]) -> list[Run]:
    """The runs in these states, oldest first."""
    rows = connection.execute(select(RUNS.c.body).where(RUNS.c.state.in_(list(states))).order_by(RUNS.c.asked))
    return [msgspec.json.decode(body, type=Run) for (body,) in rows]


def keep_bundle(connection: Connection, run: str, data: bytes, *, at: float) -> None:
    """Keep the evidence of a run; the first to come stays."""
    if not connection.execute(select(BUNDLES.c.run).where(BUNDLES.c.run == run)).first():
        connection.execute(insert(BUNDLES).values(run=run, at=at, data=data))


def bundle(connection: Connection, run: str) -> bytes | None:
    """The evidence of a run, as a bundle file's bytes."""
    return connection.execute(select(BUNDLES.c.data).where(BUNDLES.c.run == run)).scalar()
