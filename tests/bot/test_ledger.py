"""The ledger's contract: all or nothing, one writer at a time, an audit that cannot be changed."""

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from bot.ledger import LedgerAway, NotStorable, dialect, open_ledger, outbox, presence
from bot.ledger.outbox import Reply
from bot.ledger.tables import METADATA
from bot.records import Message
from tests.bot.kit import START, Kit
from workers.core.errors import TypedWrongly
from workers.core.wire import Heartbeat


def test_the_migrations_make_what_the_tables_say(kit: Kit) -> None:
    """Nothing differs between the steps' result and the tables that the code uses; a second start changes nothing."""
    kit.ledger.migrate()
    differences = kit.read(lambda connection: compare_metadata(MigrationContext.configure(connection), METADATA))
    assert differences == []


def test_what_fails_leaves_nothing(kit: Kit) -> None:
    """An error inside a transaction undoes all of it."""

    def work(connection: Connection) -> None:
        presence.first_time(connection, "k", at=START)
        raise KeyError

    with pytest.raises(KeyError):
        kit.write(work)
    assert kit.write(lambda connection: presence.first_time(connection, "k", at=START))
    assert not kit.write(lambda connection: presence.first_time(connection, "k", at=START))


def test_writers_wait_for_each_other(kit: Kit) -> None:
    """Two bots on one ledger never both take a key for new."""
    firsts: list[bool] = []

    def deliver() -> None:
        other = open_ledger(kit.url)
        firsts.extend(
            other.write_now(lambda connection, n=n: presence.first_time(connection, f"k{n}", at=START))  # type: ignore[misc]
            for n in range(10)
        )
        other.close()

    at_once(deliver)
    assert sum(firsts) == 10


def test_bots_that_start_together_migrate_once(kit: Kit) -> None:
    """On an empty database, and on one that is in use: each comes up, and the schema is there once."""
    with kit.ledger.engine.begin() as connection:
        METADATA.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        if connection.dialect.name == "postgresql":
            connection.execute(text("DROP FUNCTION audit_append_only"))
    failed: list[Exception] = []

    def begin() -> None:
        other = open_ledger(kit.url)
        try:
            other.migrate()
        except Exception as error:  # noqa: BLE001 - a thread's error is nobody's otherwise
            failed.append(error)
        other.close()

    at_once(begin)
    assert failed == []
    assert kit.write(lambda connection: presence.first_time(connection, "k", at=START))


def test_a_newer_schema_is_said(kit: Kit) -> None:
    """An older release after a newer one refuses to touch what it does not know, and says what to do."""
    kit.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(TypedWrongly, match="schema 9999 of a newer netdiag"):
        kit.ledger.migrate()


def test_a_writer_does_not_wait_for_ever(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another bot that keeps the write lock makes a write fail in time, to be tried again; then it works."""
    monkeypatch.setattr(dialect, "BUSY", 0.2)
    other = open_ledger(kit.url)

    def hold(_: Connection) -> None:
        with pytest.raises(LedgerAway):
            other.write_now(lambda connection: presence.first_time(connection, "k", at=START))

    kit.write(hold)
    assert other.write_now(lambda connection: presence.first_time(connection, "k", at=START))
    other.close()


@pytest.mark.parametrize("kit", ["postgresql"], indirect=True)
@pytest.mark.parametrize("key", ["x" * 301, "nothing\0"])
def test_what_cannot_be_stored_is_not_tried_again(kit: Kit, key: str) -> None:
    """A value that PostgreSQL refuses would be refused for ever: that is another thing than a ledger that is away."""
    with pytest.raises(NotStorable):
        kit.write(lambda connection: presence.first_time(connection, key, at=START))


def at_once(work: Callable[[], None]) -> None:
    """Four threads that do the same."""
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


REPLACE = "INSERT OR REPLACE INTO audit VALUES (1, 'x', 'x', 'x', 'x')"
UPSERT = "INSERT INTO audit VALUES (1, 'x', 'x', 'x', 'x') ON CONFLICT (seq) DO UPDATE SET text = 'x'"


@pytest.mark.parametrize(
    ("kit", "statement"),
    [
        *itertools.product(("sqlite", "postgresql"), ("UPDATE audit SET text = 'x'", "DELETE FROM audit", UPSERT)),
        ("sqlite", REPLACE),
        ("postgresql", "TRUNCATE audit"),
    ],
    indirect=["kit"],
)
def test_the_audit_is_append_only(kit: Kit, statement: str) -> None:
    """The database itself refuses to change or remove an entry."""
    kit.ask()
    with pytest.raises(LedgerAway, match="append-only"):
        kit.write(lambda connection: connection.execute(text(statement)))
    assert kit.events() == ["run-asked"]


def test_a_card_that_changes_twice_is_drawn_once_and_never_lost(kit: Kit) -> None:
    """A row that became newer while it was sent stays for another round."""
    kit.write(lambda connection: outbox.redraw(connection, "run:1", now=START))
    kit.write(lambda connection: outbox.redraw(connection, "run:1", now=START))
    (row,) = kit.read(lambda connection: outbox.due(connection, ("card",), now=START))
    kit.write(lambda connection: outbox.redraw(connection, "run:1", now=START))
    kit.write(lambda connection: outbox.done(connection, row, now=START + 1))
    (row,) = kit.read(lambda connection: outbox.due(connection, ("card",), now=START + 1))
    kit.write(lambda connection: outbox.done(connection, row, now=START + 1))
    assert kit.read(lambda connection: outbox.due(connection, ("card",), now=START + 9)) == []


def test_a_dropped_row_never_hits_its_successor(kit: Kit) -> None:
    """Whoever sent a task still writes to its row when it was dropped meanwhile: the next row must not be that one."""
    kit.write(lambda connection: outbox.put(connection, "task", "run-1", "{}", now=START))
    (held,) = kit.read(lambda connection: outbox.due(connection, ("task",), now=START))
    kit.write(lambda connection: outbox.drop(connection, "task", "run-1"))
    kit.write(lambda connection: outbox.redraw(connection, "run:1", now=START))
    kit.write(lambda connection: outbox.later(connection, held, due=START + 99))
    kit.write(lambda connection: outbox.done(connection, held, now=START))
    (card,) = kit.read(lambda connection: outbox.due(connection, ("card",), now=START))
    assert (card.key, card.tries) == ("run:1", 0)


def test_later_is_not_due_before(kit: Kit) -> None:
    """A row that is put off comes back when it is due, with its tries counted."""
    kit.write(lambda connection: outbox.reply(connection, "k", Reply("C", "U", "t"), now=START))
    (row,) = kit.read(lambda connection: outbox.due(connection, ("reply",), now=START))
    kit.write(lambda connection: outbox.later(connection, row, due=START + 5))
    assert kit.read(lambda connection: outbox.due(connection, ("reply",), now=START + 4)) == []
    (row,) = kit.read(lambda connection: outbox.due(connection, ("reply",), now=START + 5))
    assert row.tries == 1


def test_a_message_is_remembered_once(kit: Kit) -> None:
    """Announcing a posted message again does not forget where it is."""
    message = Message("run:1", "C", "", "", "", "")
    kit.write(lambda connection: outbox.add_message(connection, message))
    kit.write(lambda connection: outbox.posted(connection, "run:1", ts="1.2", digest="h"))
    kit.write(lambda connection: outbox.add_message(connection, message))
    found = kit.read(lambda connection: outbox.message(connection, "run:1"))
    assert found == message._replace(ts="1.2", hash="h")


def test_a_worker_is_heard_by_its_newest_word(kit: Kit) -> None:
    """An old heartbeat changes nothing, and one from the future counts as now."""
    for at in (START, START - 50, START + 500):
        beat = Heartbeat("w", "look", "lab", "1", at)
        kit.write(lambda connection, beat=beat: presence.heard(connection, beat, now=START))  # type: ignore[misc]
    assert kit.read(lambda connection: presence.last_heard(connection, "lab", "look")) == START
    assert kit.read(lambda connection: presence.last_heard(connection, "lab", "change")) == 0.0


def test_old_deliveries_are_forgotten(kit: Kit) -> None:
    """The list of what was handled does not grow for ever."""
    kit.write(lambda connection: presence.first_time(connection, "k", at=START))
    kit.write(lambda connection: presence.forget(connection, now=START + presence.REMEMBERED + 1))
    assert kit.write(lambda connection: presence.first_time(connection, "k", at=START))


@pytest.mark.parametrize("url", ["sqlite://", "mysql://x/y", "nonsense", "sqlite:////proc/none/x.db"])
def test_a_bad_url_is_one_sentence(url: str) -> None:
    """A database that cannot be used is named by its setting."""
    with pytest.raises(TypedWrongly, match="NETDIAG_DATABASE_URL"):
        open_ledger(url)


def test_no_ledger_is_to_try_again(tmp_path: Path) -> None:
    """A ledger that was never made, or is away, is an error that may pass."""
    ledger = open_ledger(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(LedgerAway):
        ledger.write_now(lambda connection: presence.first_time(connection, "k", at=START))
    ledger.close()
