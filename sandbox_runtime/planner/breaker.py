"""Leaves a model alone that keeps failing, so that its callers learn it at once and not after a deadline.

closed ──five failures in a row, or half of ten calls, in 30 s──► open ──cool-down──► one probe
   ▲                                                                                    │  │
   └──────────────────────────── it answered ───────────────────────────────────────────┘  │
                                   open ◄────────────────────── it failed ──────────────────┘
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW: Final = 30.0  # seconds
COOL_DOWN: Final = 30.0  # seconds, and up to a fifth more, so that processes do not probe in step
SPENT_COOL_DOWN: Final = 300.0  # seconds: money comes back when somebody brings it
IN_A_ROW: Final = 5
LEAST_CALLS: Final = 10
_MAX_CALLS: Final = 1000  # that are remembered


class Breaker:
    """Of one model. ``clock``: seconds, monotonic; ``draw``: random, at least 0 and below 1. ``reason``: the
    code of the failure that opened it."""

    def __init__(self, clock: Callable[[], float], draw: Callable[[], float]) -> None:
        self._clock = clock
        self._draw = draw
        self._calls: deque[tuple[float, bool, str]] = deque(maxlen=_MAX_CALLS)
        self._in_a_row = 0
        self._open_until: float | None = None
        self._probing = False
        self.reason = ""

    def wait(self) -> float:
        """Seconds until it may be asked again, 0 when it may now. The caller that finds 0 when it was open
        is the probe: it must ``succeeded``, ``failed`` or ``gave_up``."""
        if self._open_until is None:
            return 0.0
        left = self._open_until - self._clock()
        if left > 0:
            return left
        if self._probing:
            return 1.0
        self._probing = True
        return 0.0

    def succeeded(self) -> None:
        """It answered, whatever it said."""
        if self._probing:
            self._calls.clear()
        self._probing, self._open_until, self._in_a_row = False, None, 0
        self._note(failed=False)

    def failed(self, reason: str, cool_down: float = 0.0, *, asker: str = "") -> None:
        """It is in trouble. ``cool_down``: open it for so many seconds whatever else was. ``asker``: whose
        question may be at fault as well, "" when it is none; failures of one asker alone do not open it."""
        now = self._note(failed=True, asker=asker)
        self._in_a_row += 1
        askers = [who for _, failed, who in self._calls if failed]
        many = len(self._calls) >= LEAST_CALLS and 2 * len(askers) >= len(self._calls)
        is_its_own = "" in askers or len(set(askers)) > 1
        if cool_down or self._probing or (is_its_own and (many or self._in_a_row >= IN_A_ROW)):
            self._open_until = now + (cool_down or COOL_DOWN) * (1 + self._draw() / 5)
            self.reason = reason
        self._probing = False

    def gave_up(self) -> None:
        """The caller has gone before it was known; another one may probe."""
        self._probing = False

    def _note(self, *, failed: bool, asker: str = "") -> float:
        now = self._clock()
        self._calls.append((now, failed, asker))
        while self._calls and self._calls[0][0] < now - WINDOW:
            self._calls.popleft()
        if len(self._calls) == 1:
            self._in_a_row = 0  # those before it are too long ago
        return now
