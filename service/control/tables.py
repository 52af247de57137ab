"""The tables of the control database, for statements. ``migrations/versions`` makes them; a test compares.

Times are seconds since the epoch. Every name begins with lars_: the database may be another service's too.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    true,
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

# One row. Who changes a key or a function takes the next number first, and so waits for whoever is about to
# change another.
REVISION = Table(
    "lars_revision",
    METADATA,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)

# Texts of modules by their SHA-256, each once. Triggers refuse UPDATE and DELETE, as they do of versions.
SOURCES = Table(
    "lars_sources",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("size", Integer, nullable=False),  # bytes of it in UTF-8
)

FUNCTION_VERSIONS = Table(
    "lars_function_versions",
    METADATA,
    Column("hash", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", Text, ForeignKey(SOURCES.c.digest), nullable=False),
    Column("signature", Text, nullable=False),  # JSON
    Column("created", Float(53), nullable=False),
    Column("created_by", Text, nullable=False),
)

# A function that was unloaded stays, so that who asks for changes sees it go, and its versions go on.
FUNCTIONS = Table(
    "lars_functions",
    METADATA,
    Column("hash", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("module", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("improvement", Text),  # functions.values.Improvement; null for what is none
    Column("version", Integer, nullable=False),
    Column("canary", Integer),
    Column("canary_weight", Integer),  # percent
    Column("record_percent", Integer),  # functions.values.Recording; both null where no call is kept
    Column("record_calls", Integer),
    Column("loaded", Boolean, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("updated", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    *(
        ForeignKeyConstraint(
            ["hash", "name", version], [FUNCTION_VERSIONS.c[name] for name in ("hash", "name", "version")]
        )
        for version in ("version", "canary")
    ),
)
Index(
    "lars_functions_path",
    FUNCTIONS.c.path,
    unique=True,
    sqlite_where=FUNCTIONS.c.loaded == true(),
    postgresql_where=FUNCTIONS.c.loaded == true(),
)

# What each version did when it was called. No foreign key: a front may still write figures of a version that
# a database that was restored does not know, and must not fail for good.
FUNCTION_FIGURES = Table(
    "lars_function_figures",
    METADATA,
    Column("hash", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("ok", BigInteger, nullable=False),
    Column("caller_error", BigInteger, nullable=False),
    Column("function_error", BigInteger, nullable=False),
    Column("platform_error", BigInteger, nullable=False),
    Column("cpu_us", BigInteger, nullable=False),
    Column("run_us", BigInteger, nullable=False),
    Column("runs", Text, nullable=False),  # JSON: [bucket of functions.figures.BOUNDS, calls], in order
    Column("last_called", Float(53), nullable=False),
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

# Of what service/improvement/runs/values.py says. One active run for each function.
RUNS = Table(
    "lars_improvement_runs",
    METADATA,
    Column("id", Text, primary_key=True),  # in the order in which they began
    Column("hash", Text),
    Column("name", Text),
    Column("goal", Text),
    Column("decision", Text),
    Column("holder", Text),
    Column("by", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    Column("active", Boolean, nullable=False),
    Column("automatic", Boolean, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("cost", Float(53)),
    Column("ended", Float(53)),
    Column("created", Float(53), nullable=False),
    Column("updated", Float(53), nullable=False),
    Column("lease", Float(53), nullable=False),
)
Index(
    "lars_improvement_targets",
    RUNS.c.hash,
    RUNS.c.name,
    unique=True,
    sqlite_where=RUNS.c.active == true(),
    postgresql_where=RUNS.c.active == true(),
)

RUN_STEPS = Table(
    "lars_improvement_steps",
    METADATA,
    Column("run", Text, ForeignKey(RUNS.c.id), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("stage", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("time", Float(53), nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("evidence", Text, nullable=False),  # JSON
)
