"""The first schema."""

import sqlalchemy as sa
from alembic import op

from bot.ledger import dialect

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table, and the audit append-only."""
    _machines()
    _audit()
    _out()
    _bookkeeping()


def _machines() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("cluster", sa.String(100), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("asked", sa.Float, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("runs_by_state", "runs", ["state"])
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("run", sa.String(40), nullable=False),
        sa.Column("lock", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("approvals_by_state", "approvals", ["state"])
    op.create_index("approvals_by_run", "approvals", ["run"])
    op.create_table(
        "grants",
        sa.Column("approval", sa.String(40), primary_key=True),
        sa.Column("person", sa.String(200), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("kid", sa.String(16), nullable=False),
    )
    connection = op.get_bind()
    for statement in dialect.append_only(connection, "audit"):
        connection.exec_driver_sql(statement)


def _out() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("due", sa.Float, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("sent", sa.Float, nullable=False),
        sa.UniqueConstraint("kind", "key", name="outbox_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_by_due", "outbox", ["kind", "due"])
    op.create_table(
        "messages",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("thread", sa.String(40), nullable=False),
        sa.Column("parent", sa.String(200), nullable=False),
        sa.Column("ts", sa.String(40), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )


def _bookkeeping() -> None:
    op.create_table(
        "bundles",
        sa.Column("run", sa.String(40), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "handled", sa.Column("key", sa.String(300), primary_key=True), sa.Column("at", sa.Float, nullable=False)
    )
    op.create_index("handled_by_age", "handled", ["at"])
    op.create_table(
        "workers",
        sa.Column("cluster", sa.String(100), primary_key=True),
        sa.Column("role", sa.String(20), primary_key=True),
        sa.Column("worker", sa.String(200), primary_key=True),
        sa.Column("release", sa.String(40), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
