"""Time that a test moves."""

from __future__ import annotations

from service.access.principal import Principal
from service.limits.rates import read_rates

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC: a minute, an hour and half a day begin


class Clock:
    """Seconds since the epoch."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def principal(*rates: str, name: str = "key:one") -> Principal:
    """A caller with these limits."""
    return Principal(name, frozenset(), read_rates(rates))
