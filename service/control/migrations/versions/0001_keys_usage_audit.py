"""Keys, their revision, usage by the day, the audit log and its head."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = "the audit log is append-only"


def upgrade() -> None:
    """From nothing."""
    _keys()
    _usage()
    _audit()
    if op.get_bind().dialect.name == "postgresql":
        _postgresql_triggers()
    else:
        _sqlite_triggers()


def _keys() -> None:
    op.create_table(
        "lars_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("env", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("rates", sa.JSON, nullable=False),
        sa.Column("policy", sa.Text),
        sa.Column("expires", sa.Float(53)),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.Float(53), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False, unique=True),
        sa.Column("rotated", sa.Float(53)),
        sa.Column("previous", sa.LargeBinary),
        sa.Column("previous_until", sa.Float(53)),
        sa.Column("revoked", sa.Float(53)),
    )
    revision_table = op.create_table(
        "lars_revision",
        sa.Column(
            "one", sa.SmallInteger, sa.CheckConstraint("one = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(revision_table, [{"one": 1, "number": 0}])


def _usage() -> None:
    figures = ("requests", "failures", "cpu_ms", "tokens")
    op.create_table(
        "lars_usage",
        sa.Column("principal", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in figures),
        sa.Column("last_used", sa.Float(53)),
    )


def _audit() -> None:
    texts = ("principal", "source", "action", "target", "outcome", "detail")
    op.create_table(
        "lars_audit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time", sa.Float(53), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
    head = op.create_table(
        "lars_audit_head",
        sa.Column(
            "one", sa.SmallInteger, sa.CheckConstraint("one = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
    )
    # Without a MAC: the key of the log is not the database's to know, and there is nothing to vouch for yet.
    op.bulk_insert(head, [{"one": 1, "seq": 0, "seal": bytes(32), "mac": b""}])


def _sqlite_triggers() -> None:
    for table, event in (("lars_audit", "UPDATE"), ("lars_audit", "DELETE"), ("lars_audit_head", "DELETE")):
        op.execute(
            f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
        )


def _postgresql_triggers() -> None:
    op.execute(
        "CREATE FUNCTION lars_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_APPEND_ONLY}'; END $$"
    )
    for table, events in (
        ("lars_audit", "UPDATE OR DELETE OR TRUNCATE"),
        ("lars_audit_head", "DELETE OR TRUNCATE"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE {events} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION lars_audit_append_only()"
        )
