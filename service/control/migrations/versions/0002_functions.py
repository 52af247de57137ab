"""Sources, functions, their versions and the figures of those."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_IMMUTABLE = ("lars_sources", "lars_function_versions")
_REFUSAL = "versions of functions are never changed"


def upgrade() -> None:
    """From 0001."""
    _versions()
    _functions()
    _figures()
    if op.get_bind().dialect.name == "postgresql":
        _postgresql_triggers()
    else:
        _sqlite_triggers()


def _versions() -> None:
    op.create_table(
        "lars_sources",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
    )
    op.create_table(
        "lars_function_versions",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.Text, sa.ForeignKey("lars_sources.digest"), nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("created", sa.Float(53), nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
    )


def _functions() -> None:
    target = [f"lars_function_versions.{name}" for name in ("hash", "name", "version")]
    op.create_table(
        "lars_functions",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("module", "path", "method")),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("canary", sa.Integer),
        sa.Column("canary_weight", sa.Integer),
        sa.Column("loaded", sa.Boolean, nullable=False),
        sa.Column("created", sa.Float(53), nullable=False),
        sa.Column("updated", sa.Float(53), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False, unique=True),
        sa.Column("owner", sa.Text, nullable=False),
        *(sa.ForeignKeyConstraint(["hash", "name", version], target) for version in ("version", "canary")),
    )
    is_loaded = sa.column("loaded") == sa.true()
    op.create_index(
        "lars_functions_path",
        "lars_functions",
        ["path"],
        unique=True,
        sqlite_where=is_loaded,
        postgresql_where=is_loaded,
    )


def _figures() -> None:
    sums = ("ok", "caller_error", "function_error", "platform_error", "cpu_us", "run_us")
    op.create_table(
        "lars_function_figures",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in sums),
        sa.Column("runs", sa.Text, nullable=False),
        sa.Column("last_called", sa.Float(53), nullable=False),
    )


def _sqlite_triggers() -> None:
    for table in _IMMUTABLE:
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )


def _postgresql_triggers() -> None:
    op.execute(
        "CREATE FUNCTION lars_versions_immutable() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    for table in _IMMUTABLE:
        op.execute(
            f"CREATE TRIGGER {table}_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION lars_versions_immutable()"
        )
