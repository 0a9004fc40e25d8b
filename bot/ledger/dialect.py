"""Where do SQLite and PostgreSQL differ? Here, and nowhere else.

SQLite: Python 3.11's driver begins transactions by its own rules, so it is told to leave that alone
(`isolation_level=None`) and every write transaction begins with BEGIN IMMEDIATE: the write lock is taken before the
first read, so that what was read still holds at the commit. PostgreSQL: one advisory lock does the same, for every
bot on this ledger, and also while a schema step runs.
"""

import re
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from workers.core.errors import TypedWrongly

BUSY = 5.0  # seconds that a writer waits for another process's write
ABANDONED = 30  # seconds after which PostgreSQL ends a transaction of a bot that stands still, with its locks
# libpq's words. Seconds until a host that went away without a word is given up: 5 to connect, 10 + 3 x 5 afterwards.
GIVING_UP = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
WRITE_LOCK = 7_142_001  # the advisory lock's number; any, but always the same


def connect(url: str) -> Engine:
    """An engine for this database. Raises TypedWrongly when the URL is none that we know."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise TypedWrongly("NETDIAG_DATABASE_URL is not a database URL, such as sqlite:///var/netdiag.db") from error
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(url, parsed.database)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed)
    raise TypedWrongly(f"NETDIAG_DATABASE_URL: {parsed.get_backend_name()} is neither sqlite nor postgresql")


def _sqlite(url: str, path: str | None) -> Engine:
    if not path or path == ":memory:":
        raise TypedWrongly("NETDIAG_DATABASE_URL must name a file: what is in memory is lost at every restart")
    folder = Path(path).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TypedWrongly(f"NETDIAG_DATABASE_URL: cannot make the folder {folder}: {error.strerror}") from error
    engine = create_engine(url, connect_args={"timeout": BUSY, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    # A byte that was changed behind our back must be found by `verify`, not break the driver.
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a power cut must not lose the tail of the audit
    cursor.close()


def _postgresql(url: URL) -> Engine:
    # READ COMMITTED is said, whatever the server's default: a snapshot from before the write lock would be an old one.
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,  # after a restart of the server the pool is full of dead connections
        isolation_level="READ COMMITTED",
        # Nothing is prepared: a prepared statement breaks when another bot's release alters its table.
        connect_args={**GIVING_UP, "prepare_threshold": None},
    )
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    connection.execute(f"SET lock_timeout = {round(BUSY * 1000)}")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{ABANDONED}s'")
    connection.commit()


def begin_write(connection: Connection) -> None:
    """Take the one write lock, for the rest of this transaction."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": WRITE_LOCK})


def begin_read(connection: Connection) -> None:
    """See one moment for the rest of this transaction."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def append_only(connection: Connection, table: str) -> list[str]:
    """The statements that make a table (numbered by `seq`) refuse every change but INSERT."""
    if not re.fullmatch(r"[a-z]+", table):
        raise ValueError(table)
    if connection.dialect.name == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        twice = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE seq = NEW.seq) {refuse}"  # noqa: S608 - the name was checked above
        # INSERT OR REPLACE deletes without asking a DELETE trigger, so a number that is there is refused as well.
        return [
            *(f"CREATE TRIGGER {table}_no_{v.lower()} BEFORE {v} ON {table} {refuse}" for v in ("UPDATE", "DELETE")),
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} {twice}",
        ]
    function = (
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    rows = f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW"
    whole = f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"
    return [function, *(f"{head} EXECUTE FUNCTION {table}_append_only()" for head in (rows, whole))]
