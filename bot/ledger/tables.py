"""What does the ledger keep? Its tables, in SQLAlchemy Core.

The machine's own fields are columns, so that a transition can be compared-and-set and looked up; everything else of a
run or change is in `body`, the JSON of `bot.records`. The audit has no column that is not covered by its hash.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()
SERIAL = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER counts up by itself in SQLite

RUNS = Table(
    "runs",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("cluster", String(100), nullable=False),
    Column("state", String(20), nullable=False),
    Column("asked", Float, nullable=False),
    Column("body", Text, nullable=False),
    Index("runs_by_state", "state"),
)
APPROVALS = Table(
    "approvals",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("run", String(40), nullable=False),
    Column("lock", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Index("approvals_by_state", "state"),
    Index("approvals_by_run", "run"),
)
GRANTS = Table(
    "grants",
    METADATA,
    Column("approval", String(40), primary_key=True),
    Column("person", String(200), primary_key=True),
    Column("at", Float, nullable=False),
    Column("token", Text, nullable=False),
)
AUDIT = Table(
    "audit",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("signature", Text, nullable=False),
    Column("kid", String(16), nullable=False),
)
OUTBOX = Table(
    "outbox",
    METADATA,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("kind", String(20), nullable=False),  # card | reply | task
    Column("key", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("due", Float, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("sent", Float, nullable=False),  # tasks: when last handed to Redis; 0 never, -1 perhaps
    UniqueConstraint("kind", "key", name="outbox_once"),
    Index("outbox_by_due", "kind", "due"),
    # An id is never given again: whoever still holds a row that was dropped must not hit its successor.
    sqlite_autoincrement=True,
)
MESSAGES = Table(
    "messages",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("channel", String(40), nullable=False),
    Column("thread", String(40), nullable=False),
    Column("parent", String(200), nullable=False),
    Column("ts", String(40), nullable=False),
    Column("hash", String(64), nullable=False),
)
BUNDLES = Table(
    "bundles",
    METADATA,
    Column("run", String(40), primary_key=True),
    Column("at", Float, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
HANDLED = Table(
    "handled",
    METADATA,
    Column("key", String(300), primary_key=True),
    Column("at", Float, nullable=False),
    Index("handled_by_age", "at"),
)
WORKERS = Table(
    "workers",
    METADATA,
    Column("cluster", String(100), primary_key=True),
    Column("role", String(20), primary_key=True),
    Column("worker", String(200), primary_key=True),
    Column("release", String(40), nullable=False),
    Column("at", Float, nullable=False),
)
