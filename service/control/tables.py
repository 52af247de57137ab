"""The tables of the control database, for statements. ``migrations/versions`` makes them; a test compares.

Times are seconds since the epoch. Every name begins with lars_: the database may be another service's too.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    Float,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

METADATA = MetaData()
VERSION_TABLE = "lars_version"

KEYS = Table(
    "lars_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("env", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("scopes", JSON, nullable=False),  # texts, as access.scopes.in_order
    Column("rates", JSON, nullable=False),  # texts, as limits.rates.read_rates reads them
    Column("policy", Text),
    Column("expires", Float(53)),
    Column("digest", LargeBinary, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, unique=True),
    Column("rotated", Float(53)),
    Column("previous", LargeBinary),
    Column("previous_until", Float(53)),
    Column("revoked", Float(53)),
)

# One row. Who changes a key takes the next number first, and so waits for whoever is about to change another.
REVISION = Table(
    "lars_revision",
    METADATA,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)

USAGE = Table(
    "lars_usage",
    METADATA,
    Column("principal", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("cpu_ms", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("last_used", Float(53)),
)

# Triggers refuse UPDATE and DELETE. ``detail``: the very text that was sealed.
AUDIT = Table(
    "lars_audit",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Float(53), nullable=False),
    Column("principal", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("seal", LargeBinary, nullable=False),
)

# One row: the last entry, and a MAC by which a head made without the key shows.
AUDIT_HEAD = Table(
    "lars_audit_head",
    METADATA,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)
