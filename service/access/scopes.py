"""What a key may be allowed to do."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    """One permission. A scope implies no other; ``admin`` is the administration of keys."""

    EXECUTE = "execute"
    GENERATE = "generate"
    REST = "rest"
    FUNCTIONS_READ = "functions:read"
    FUNCTIONS_CALL = "functions:call"
    FUNCTIONS_WRITE = "functions:write"
    SESSIONS = "sessions"
    PLANS = "plans"
    METRICS = "metrics"
    ADMIN = "admin"


# Of a key that is made without a word on scopes: what callers do, nothing that operators do.
USUAL = frozenset(Scope) - {Scope.FUNCTIONS_WRITE, Scope.METRICS, Scope.ADMIN}
_ALL = "*"


def read_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """The scopes that ``names`` stand for: a scope, ``functions:*`` for a family, ``*`` for all of today's.
    ValueError names the first that is none."""
    found: set[Scope] = set()
    for name in names:
        meant = [scope for scope in Scope if name in (scope, _ALL, f"{scope.partition(':')[0]}:*")]
        if not meant:
            raise ValueError(f"{name[:100]!r} is not a scope; choose from {', '.join(Scope)} or {_ALL}")
        found.update(meant)
    return frozenset(found)


def in_order(scopes: Iterable[Scope]) -> list[str]:
    """As they are shown: in the order of ``Scope``."""
    wanted = frozenset(scopes)
    return [scope.value for scope in Scope if scope in wanted]
