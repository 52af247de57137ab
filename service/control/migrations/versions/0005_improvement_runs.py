"""Runs of improvement, and their steps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_RUNS = "lars_improvement_runs"


def upgrade() -> None:
    """From 0004, which knows of no run."""
    op.create_table(
        _RUNS,
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text) for name in ("hash", "name", "goal", "decision", "holder")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("by", "status", "reason", "detail")),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("active", "automatic")),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Float(53)) for name in ("cost", "ended")),
        *(sa.Column(name, sa.Float(53), nullable=False) for name in ("created", "updated", "lease")),
    )
    is_active = sa.column("active") == sa.true()
    op.create_index(
        "lars_improvement_targets",
        _RUNS,
        ["hash", "name"],
        unique=True,
        sqlite_where=is_active,
        postgresql_where=is_active,
    )
    op.create_table(
        "lars_improvement_steps",
        sa.Column("run", sa.Text, sa.ForeignKey(f"{_RUNS}.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("stage", "outcome")),
        *(sa.Column(name, sa.Float(53), nullable=False) for name in ("time", "seconds")),
        sa.Column("evidence", sa.Text, nullable=False),
    )
