"""A key as a row of the table, and back. Pure."""

from __future__ import annotations

from typing import Any, Final

import structlog
from sqlalchemy import RowMapping
from structlog.typing import FilteringBoundLogger

from service.access.principal import Key, KeySpec
from service.access.scopes import Scope, in_order
from service.limits.rates import UNLIMITED, Rates, read_rates

_OF_KEY: Final = ("id", "digest", "created", "revision", "rotated", "previous", "previous_until", "revoked")
_OF_SPEC: Final = ("name", "env", "description", "policy", "expires")
_log: FilteringBoundLogger = structlog.get_logger("service.control.keys")


def row_of(key: Key) -> dict[str, Any]:
    """Values by column."""
    return {
        **{name: getattr(key, name) for name in _OF_KEY},
        **{name: getattr(key.spec, name) for name in _OF_SPEC},
        "scopes": in_order(key.spec.scopes),
        "rates": key.spec.rates.texts(),
    }


def key_of(row: RowMapping) -> Key:
    """The key. One whose rates nobody can read may do nothing: it must not become one without limits, nor
    keep the other keys from being read."""
    rates = _rates(row)
    spec = KeySpec(
        **{name: row[name] for name in _OF_SPEC},
        scopes=frozenset(scope for scope in Scope if rates is not None and scope in row["scopes"]),
        rates=UNLIMITED if rates is None else rates,
    )
    return Key(spec=spec, **{name: row[name] for name in _OF_KEY})


def _rates(row: RowMapping) -> Rates | None:
    try:
        return read_rates(row["rates"])
    except ValueError as error:
        _log.error("key has unreadable rates and may do nothing", key_id=row["id"], reason=str(error))
        return None
