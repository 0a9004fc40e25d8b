"""What Alembic runs: the steps that are missing, on the connection and in the transaction that it is given."""

from alembic import context

from bot.ledger.tables import METADATA

# The caller has begun the transaction and holds the write lock, so two bots that start together do not collide.
context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
