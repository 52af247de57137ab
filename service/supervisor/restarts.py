"""When to start a child again: at once after a death, later after repeated ones, never for ever."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_WAIT = 5.0
MAX_START_FAILURES = 5
_QUICK_DEATH = 10.0
_SHORTEST_WAIT = 0.2


@dataclass(slots=True)
class Restarts:
    """The memory of one kind of child. "Could not start" and "died" are counted apart: the first ends in
    giving up after ``MAX_START_FAILURES`` in a row, the second in longer waits only. Times are seconds of
    one monotonic clock."""

    start_failures: int = 0
    quick_deaths: int = 0
    _started: dict[int, float] = field(default_factory=dict)

    def started(self, pid: int, now: float) -> None:
        """A child stands; whether it is of use, ``proved`` says."""
        self._started[pid] = now

    def proved(self) -> None:
        """A child has done what it is there for."""
        self.start_failures = 0

    def died(self, pid: int, now: float) -> float:
        """Seconds to wait before the next start of a child that had stood."""
        quick = now - self._started.pop(pid, now) < _QUICK_DEATH
        self.quick_deaths = self.quick_deaths + 1 if quick else 0
        return _wait(self.quick_deaths)

    def ended(self, pid: int) -> None:
        """A child has ended because it was meant to."""
        self._started.pop(pid, None)

    def could_not_start(self) -> float | None:
        """Seconds to wait before the next try; None to give up."""
        self.start_failures += 1
        if self.start_failures >= MAX_START_FAILURES:
            return None
        return _wait(self.start_failures)


def _wait(count: int) -> float:
    """Seconds: 0 for the first two in a row, then doubling up to ``LONGEST_WAIT``."""
    wait = 0.0 if count <= 2 else _SHORTEST_WAIT
    for _ in range(count - 3):
        if wait >= LONGEST_WAIT:
            break
        wait *= 2
    return min(wait, LONGEST_WAIT)
