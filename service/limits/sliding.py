"""The arithmetic of a sliding window counter. Pure; the same numbers whatever counts them.

        previous           current
    |---------------|---------------|      used = floor(previous * ttl / seconds) + current
            ^ now - seconds ^ now          ttl = seconds from now to the end of the current window

It is the ``limits`` library's sliding-window counter: what was counted in the window before is taken to
have come evenly, so that the part of it weighs that less than ``seconds`` ago.
"""

from __future__ import annotations

from typing import TypeAlias

# (previous, current, ttl). A bare tuple: three of them are made for each request.
State: TypeAlias = tuple[int, int, float]
_SLACK = 1e-6  # s: more than what a time since the epoch is rounded by


def used(state: State, seconds: int) -> int:
    """What counts now, in any ``seconds``."""
    previous, current, ttl = state
    return current + int(previous * ttl / seconds) if previous else current


def left_and_wait(state: State, seconds: int, most: int, unit: int) -> tuple[int, int]:
    """How many whole units of ``unit`` counts are left of ``most``, and in how many whole seconds it will
    be one more if nothing else is counted: 0 when nothing has been used."""
    count = used(state, seconds)
    if not count:
        return most // unit, 0
    left = (most - count) // unit if count < most else 0
    return left, seconds_until(state, seconds, most - (left + 1) * unit)


def seconds_until(state: State, seconds: int, enough: int) -> int:
    """Whole seconds until no more than ``enough`` is used, at least 1; enough >= 0.

    While this window lasts the previous one wanes, and after it the current one does. The last moment at
    which too much is used is told to the full second above it, so a retry at the second told is never
    early."""
    previous, current, ttl = state
    if current > enough:
        return int(ttl + seconds * (1 - (enough + 1) / current) + _SLACK) + 1
    if not previous:
        return 1
    return max(0, int(ttl - (enough + 1 - current) * seconds / previous + _SLACK)) + 1
