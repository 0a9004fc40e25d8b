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
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from bot.ledger import dialect
from workers.core.errors import TryAgain

T = TypeVar("T")
READERS = 4
MIGRATIONS = Path(__file__).parent / "migrations"


class LedgerAway(TryAgain):
    """The ledger cannot be reached or written to for now; nothing of this transaction has happened."""


class Ledger:
    """Transactions on one database, run in threads so that the event loop never waits for a disk.

    `heard` are called (in the event loop) after each write, so that what was put in the outbox leaves at once.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.heard: list[Callable[[], None]] = []
        self._writers = ThreadPoolExecutor(dialect.writers(engine), "ledger-write")
        self._readers = ThreadPoolExecutor(READERS, "ledger-read")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one write transaction; what it raises undoes it. Raises LedgerAway when there is no ledger."""
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
        """Bring the schema to this release's. Raises LedgerAway."""
        config = alembic.config.Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))

        def work(connection: Connection) -> None:
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")

        self.write_now(work)

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
        except SQLAlchemyError as error:
            raise LedgerAway(f"the ledger does not answer: {type(error).__name__}: {error}") from error


def open_ledger(url: str) -> Ledger:
    """The ledger at this URL, not yet migrated. Raises TypedWrongly when the URL is none that we know."""
    return Ledger(dialect.connect(url))
