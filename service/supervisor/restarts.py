"""When to start a child again: at once after a death, later after repeated ones, never for ever."""

from __future__ import annotations

from dataclasses import dataclass, field

_QUICK_DEATH = 10.0
_LONGEST_WAIT = 5.0
MAX_START_FAILURES = 5


@dataclass(slots=True)
class Restarts:
    """The memory of one kind of child. "Could not start" and "died" are counted apart: the first ends in
    giving up after ``MAX_START_FAILURES`` in a row, the second in longer waits only."""

    start_failures: int = 0
    quick_deaths: int = 0
    _started: dict[int, float] = field(default_factory=dict)

    def started(self, pid: int, now: float) -> None:
        """A child has said that it is ready."""
        self.start_failures = 0
        self._started[pid] = now

    def died(self, pid: int, now: float) -> float:
        """Seconds to wait before the next start of a child that had been ready."""
        quick = now - self._started.pop(pid, now) < _QUICK_DEATH
        self.quick_deaths = self.quick_deaths + 1 if quick else 0
        return self._wait(self.quick_deaths)

    def could_not_start(self) -> float | None:
        """Seconds to wait before the next try; None to give up."""
        self.start_failures += 1
        if self.start_failures >= MAX_START_FAILURES:
            return None
        return self._wait(self.start_failures)

    def _wait(self, count: int) -> float:
        return 0.0 if count <= 2 else min(_LONGEST_WAIT, 0.1 * 2.0 ** (count - 2))
