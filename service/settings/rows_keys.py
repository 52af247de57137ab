"""The rows of keys: where they are kept and counted, and what needs none."""

from __future__ import annotations

from service.access.gate import PUBLIC_NAMES
from service.database_url import SQLITE
from service.settings import parsers
from service.settings.row import Computed, Facts, Setting


def _control_file(facts: Facts) -> str:
    root = facts.readings.get("LARS_DATA_ROOT")  # none when no home directory is known
    return f"{SQLITE}{root.value / 'control.db'}" if root else ""


KEYS: tuple[Setting, ...] = (
    Setting(
        "LARS_DATABASE_URL",
        Computed("the SQLite file control.db in LARS_DATA_ROOT", _control_file),
        "",
        "Database of keys, usage and the audit log. One PostgreSQL serves many nodes.",
        parsers.database_url(),
        secret=True,
    ),
    Setting(
        "LARS_AUDIT_KEY",
        Computed("the file audit.key in LARS_DATA_ROOT, made when there is none", lambda _: ""),
        "",
        "Secret that seals the audit log; the same on all nodes of one database.",
        parsers.secret(32),
        secret=True,
    ),
    Setting(
        "LARS_AUTH_TOKEN",
        "none",
        "",
        "A key for resources (scope rest), beside those that lars keys makes.",
        parsers.token(),
        secret=True,
    ),
    Setting(
        "STARGATE_API_KEY",
        "none",
        "",
        "A key for loading functions (scope functions:write), beside those that lars keys makes.",
        parsers.token(),
        secret=True,
    ),
    Setting(
        "LARS_PUBLIC",
        ",".join(PUBLIC_NAMES),
        "",
        "What needs no key also when there are keys. docs means GET /capabilities, /openapi.json, /docs and "
        "/redoc.",
        parsers.names(PUBLIC_NAMES),
    ),
    Setting(
        "LARS_RATE",
        "none",
        "",
        "Limits of every key that has none of its own.",
        parsers.rates(),
    ),
    Setting(
        "LARS_RATE_STORE",
        "memory",
        "",
        "Where limits are counted: memory, for this node alone, or a Redis that several nodes share.",
        parsers.rate_store(),
        secret=True,
    ),
)
