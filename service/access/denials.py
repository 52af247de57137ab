"""Attempts at what is recorded, by keys that may not do it: for the audit log, which they must not fill."""

from __future__ import annotations

import time
from typing import Final

from service.access.principal import Actor
from service.control.audit import AuditLog
from service.control.seals import Event

_PAUSE: Final = 60.0  # seconds: one entry for each key and path
_MOST: Final = 10_000
ACTION: Final = "access.denied"


class Denials:
    """One front's."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._told: dict[tuple[str, str], float] = {}

    async def record(self, principal: str, address: str, path: str) -> None:
        """Unless the same was recorded within the last minute. ControlUnavailable."""
        now = time.monotonic()
        if now < self._told.get((principal, path), 0.0):
            return
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[principal, path] = now + _PAUSE
        await self._audit.append(Event(Actor(principal, address), ACTION, path, outcome="scope_missing"))
