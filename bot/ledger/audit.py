"""How is the audit chain stored, added to and read?"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, desc, insert, or_, select

from bot.ledger.tables import AUDIT
from bot.records import AuditRef
from workers.core import audit
from workers.core.tokens import Signer

NETDIAG = "netdiag"  # the actor of what the bot does by itself
COLUMNS = (AUDIT.c.seq, AUDIT.c.text, AUDIT.c.hash, AUDIT.c.signature, AUDIT.c.kid)


class Scribe:
    """Writes entries, each signed, in the caller's transaction. `now` is the wall clock."""

    def __init__(self, signer: Signer, *, now: Callable[[], float]) -> None:
        self._signer = signer
        self._now = now

    def write(
        self, connection: Connection, event: str, *, actor: str, subject: str, cluster: str, data: dict[str, Any]
    ) -> AuditRef:
        """Append one entry. The transaction holds the write lock, so nobody else appends between read and insert."""
        previous = connection.execute(select(*COLUMNS).order_by(desc(AUDIT.c.seq)).limit(1)).first()
        entry = audit.make(
            _entry(previous) if previous else None,
            self._signer,
            at=self._now(),
            event=event,
            actor=actor,
            subject=subject,
            cluster=cluster,
            data=data,
        )
        row = {"seq": entry.seq, "text": entry.text, "hash": entry.hash, "signature": entry.signature}
        connection.execute(insert(AUDIT).values(**row, kid=entry.kid))
        return AuditRef(entry.seq, entry.hash)


def entries(connection: Connection) -> Iterator[audit.Entry]:
    """Every entry, oldest first, without holding them all at once."""
    for row in connection.execute(select(*COLUMNS).order_by(AUDIT.c.seq).execution_options(yield_per=500)):
        yield _entry(row)


def last(connection: Connection, count: int, *, about: str = "") -> list[audit.Entry]:
    """The newest entries, newest first; `about`: only of this run (with its changes) or this change.

    The canonical text is searched, since a column beside it would not be covered by the hash.
    """
    query = select(*COLUMNS).order_by(desc(AUDIT.c.seq)).limit(count)
    if about:
        fields = (f'"{field}":"{about}"' for field in ("subject", "run"))
        query = query.where(or_(*(AUDIT.c.text.contains(text, autoescape=True) for text in fields)))
    return [_entry(row) for row in connection.execute(query)]


def get(connection: Connection, seq: int) -> audit.Entry | None:
    """The entry of this number."""
    row = connection.execute(select(*COLUMNS).where(AUDIT.c.seq == seq)).first()
    return _entry(row) if row else None


def _entry(row: Sequence[Any]) -> audit.Entry:
    seq, text, digest, signature, kid = row
    return audit.Entry(seq=seq, text=text, hash=digest, signature=signature, kid=kid)
