"""Whether a peer keeps a connection busy without getting on. Pure: clocks and counts come from outside."""

from __future__ import annotations

from dataclasses import dataclass

# The slowest mobile networks are ten times as fast; a byte now and then does not count as progress.
MIN_RATE = 1024  # bytes per second


@dataclass(slots=True)
class Pace:
    """Progress since ``since`` (seconds, any monotonic clock), when ``done`` bytes had passed.

    Every stretch of a given length must bring its bytes. An average over the whole would let a peer that
    began fast stand still for hours.
    """

    since: float
    done: int

    def too_slow(self, now: float, done: int, seconds: float) -> bool:
        """True when a stretch of ``seconds`` has brought less than MIN_RATE; else a new one may begin."""
        if now - self.since < seconds:
            return False
        if done - self.done < MIN_RATE * seconds:
            return True
        self.since, self.done = now, done
        return False
