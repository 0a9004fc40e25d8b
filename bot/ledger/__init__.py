"""The bot's memory in SQL: runs, proposed changes, grants, audit, outbox.

Everything that changes it is a function of one write transaction; what must happen together is called in the same one.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import alembic.command
import alembic.config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, SQLAlchemyError

from bot.ledger import dialect
from workers.core.errors import NetdiagError, TryAgain, TypedWrongly

T = TypeVar("T")
READERS = 4
MIGRATIONS = Path(__file__).parent / "migrations"


class LedgerAway(TryAgain):
    """The ledger cannot be reached or written to for now; nothing of this transaction has happened."""


class NotStorable(NetdiagError):
    """The ledger cannot hold such a value, now or later; nothing of this transaction has happened."""


class Ledger:
    """Transactions on one database, run in threads so that the event loop never waits for a disk.

    `heard` are called (in the event loop) after each write, so that what was put in the outbox leaves at once.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.heard: list[Callable[[], None]] = []
        self._writers = ThreadPoolExecutor(1, "ledger-write")  # more would only queue for the write lock
        self._readers = ThreadPoolExecutor(READERS, "ledger-read")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one write transaction; what it raises undoes it.

        Raises LedgerAway when there is no ledger, NotStorable when it refuses a value.
        """
        result = await asyncio.get_running_loop().run_in_executor(self._writers, self.write_now, work)
        for tell in self.heard:
            tell()
        return result

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on one consistent view. Raises LedgerAway likewise."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, work)

    def write_now(self, work: Callable[[Connection], T]) -> T:
        """`write` in this thread."""
        return self._transact(work, dialect.begin_write)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """`read` in this thread."""
        return self._transact(work, dialect.begin_read)

    def migrate(self) -> None:
        """Bring the schema to this release's. Raises LedgerAway; TypedWrongly when a newer release has been here."""
        config = _alembic()

        def work(connection: Connection) -> None:
            _schema(connection, config)
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")

        self.write_now(work)

    def schema(self) -> str:
        """The schema's revision; empty while there is none. Raises as `migrate`, and changes nothing."""
        return self.read_now(lambda connection: _schema(connection, _alembic()))

    def close(self) -> None:
        """Wait for what is being written, and let go of the database."""
        self._writers.shutdown()
        self._readers.shutdown()
        self.engine.dispose()

    def _transact(self, work: Callable[[Connection], T], begin: Callable[[Connection], None]) -> T:
        try:
            with self.engine.begin() as connection:
                begin(connection)
                return work(connection)
        except DataError as error:
            raise NotStorable(f"the ledger cannot hold this: {error.orig}") from error
        except SQLAlchemyError as error:
            # The driver's words alone: SQLAlchemy adds the statement with its values, which are nobody's business.
            words = getattr(error, "orig", None) or error
            raise LedgerAway(f"the ledger does not answer: {type(words).__name__}: {words}") from error


def _alembic() -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _schema(connection: Connection, config: alembic.config.Config) -> str:
    there = MigrationContext.configure(connection).get_current_revision()
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    if there and there not in known:
        raise TypedWrongly(
            f"NETDIAG_DATABASE_URL: the ledger has the schema {there} of a newer netdiag, and this release knows up to"
            f" {max(known)}. Start the newer release, or restore the ledger's copy from before the upgrade."
        )
    return there or ""


def open_ledger(url: str) -> Ledger:
    """The ledger at this URL, not yet migrated. Raises TypedWrongly when the URL is none that we know."""
    return Ledger(dialect.connect(url))
