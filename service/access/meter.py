"""What callers have used since it was last written down: one front's, in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from service.control.usage import Figures, Row

_DAY = 86_400


@dataclass(slots=True)
class _Tally:
    """``cpu`` in microseconds: most requests use less than the millisecond in which it is kept."""

    requests: int = 0
    failures: int = 0
    cpu: int = 0
    last_used: float = 0.0


class Meter:
    """Counts; who writes it down takes the figures, and puts back what could not be written."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """``clock``: seconds since the epoch."""
        self._clock = clock
        self._tallies: dict[str, _Tally] = {}
        self._days: dict[Row, Figures] = {}  # of days that are over, and what was put back
        self._number = int(clock()) // _DAY
        self._today = _date(self._number)

    def count(self, name: str, *, failed: bool, cpu: float = 0.0) -> None:
        """One request. ``cpu`` in seconds."""
        now = self._clock()
        if int(now) // _DAY != self._number:
            self._begin_day(int(now) // _DAY)
        tally = self._tallies.get(name)
        if tally is None:
            tally = self._tallies[name] = _Tally()
        tally.requests += 1
        tally.failures += failed
        tally.cpu += round(cpu * 1_000_000)
        tally.last_used = now

    def add_tokens(self, name: str, tokens: int) -> None:
        """Of a model, for a request that is counted by itself, or over already."""
        self._add((name, _date(int(self._clock()) // _DAY)), Figures(tokens=tokens))

    def take(self) -> dict[Row, Figures]:
        """All figures; from now on it counts from nothing, but for the parts of a millisecond."""
        for name, tally in self._tallies.items():
            if tally.requests:
                self._add((name, self._today), _figures(tally))
        self._tallies = {
            name: _Tally(cpu=rest) for name, tally in self._tallies.items() if (rest := tally.cpu % 1000)
        }
        taken, self._days = self._days, {}
        return taken

    def put_back(self, figures: Mapping[Row, Figures]) -> None:
        """What was taken and could not be written."""
        for row, some in figures.items():
            self._add(row, some)

    def _begin_day(self, number: int) -> None:
        for name, tally in self._tallies.items():
            self._add((name, self._today), _figures(tally))
        self._tallies = {}
        self._number, self._today = number, _date(number)

    def _add(self, row: Row, figures: Figures) -> None:
        self._days[row] = self._days.get(row, Figures()) + figures


def _figures(tally: _Tally) -> Figures:
    return Figures(tally.requests, tally.failures, tally.cpu // 1000, 0, tally.last_used or None)


def _date(number: int) -> date:
    return datetime.fromtimestamp(number * _DAY, UTC).date()
