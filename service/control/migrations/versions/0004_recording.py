"""Which calls of a function are kept to be replayed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From 0003, where no call is kept."""
    for name in ("record_percent", "record_calls"):
        op.add_column("lars_functions", sa.Column(name, sa.Integer))
