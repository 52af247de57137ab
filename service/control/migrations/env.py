"""What Alembic runs: the steps, on the connection and in the transaction of ``service.control.upgrade``."""

from __future__ import annotations

from alembic import context

from service.control.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
context.run_migrations()
