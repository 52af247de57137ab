"""What a function improves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From 0002, whose functions improve nothing."""
    op.add_column("lars_functions", sa.Column("improvement", sa.Text))
