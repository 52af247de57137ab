"""How fast two versions are beside each other: of each call the quickest of several rounds. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Runs = Mapping[int, float]
"""Seconds of each call that was answered, by its number."""


@dataclass(frozen=True, slots=True)
class Times:
    """``live`` and ``mine``: for each call that both have always answered its quickest run, in seconds.
    ``each``: of every round of both its ratio by itself, which shows what a ratio is worth."""

    live: tuple[float, ...] = ()
    mine: tuple[float, ...] = ()
    each: tuple[float, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Time of the candidate in parts of the live version's; None where there is nothing to compare."""
        return _ratio(self.live, self.mine)


def times_of(live: Sequence[Runs], mine: Sequence[Runs]) -> Times:
    """From the rounds of each, the first with the first."""
    if not (live and mine):
        return Times()
    calls = sorted(set.intersection(*(set(runs) for runs in (*live, *mine))))
    each = [
        _ratio([one[call] for call in calls], [other[call] for call in calls])
        for one, other in zip(live, mine, strict=False)
    ]
    return Times(_quickest(live, calls), _quickest(mine, calls), tuple(r for r in each if r is not None))


def percentile(values: Sequence[float], part: float) -> float | None:
    """The nearest rank: the least value that so many, from above 0 to 1, are not above."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def _quickest(rounds: Sequence[Runs], calls: Sequence[int]) -> tuple[float, ...]:
    return tuple(min(runs[call] for runs in rounds) for call in calls)


def _ratio(live: Sequence[float], mine: Sequence[float]) -> float | None:
    whole = sum(live)
    return sum(mine) / whole if whole > 0 else None
