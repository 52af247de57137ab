"""How fast two versions are beside each other: of each call the quickest of several rounds, and
whether the rounds tell more than noise. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

Runs = Mapping[int, float]
"""Seconds of each call that was answered, by its number."""


_CAP = 2  # of the quickest run of the slower version


@dataclass(frozen=True, slots=True)
class Times:
    """``live`` and ``mine``: for each call that both have always answered its quickest run, in seconds.
    ``live_rounds`` and ``mine_rounds``: all those calls together, in each round."""

    live: tuple[float, ...] = ()
    mine: tuple[float, ...] = ()
    live_rounds: tuple[float, ...] = ()
    mine_rounds: tuple[float, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Time of the candidate in parts of the live version's; None where there is nothing to compare."""
        whole = sum(self.live)
        return sum(self.mine) / whole if whole > 0 else None


def times_of(live: Sequence[Runs], mine: Sequence[Runs]) -> Times:
    """From the rounds of each."""
    if not (live and mine):
        return Times()
    calls = sorted(set.intersection(*(set(runs) for runs in (*live, *mine))))
    if not calls:
        return Times()
    quickest = _quickest(live, calls), _quickest(mine, calls)
    caps = {call: _CAP * max(pair) for call, pair in zip(calls, zip(*quickest, strict=True), strict=True)}
    return Times(*quickest, _sums(live, caps), _sums(mine, caps))


def chance(quick: Sequence[float], slow: Sequence[float]) -> float:
    """How likely rounds of two versions that are equally fast would be so far apart, or further: the exact
    tail of the rank-sum test (Mann and Whitney, 1947), which asks nothing of how times are distributed."""
    inversions = sum(one >= other for one in quick for other in slow)
    ways = sum(_orders(len(quick), len(slow), each) for each in range(inversions + 1))
    return ways / math.comb(len(quick) + len(slow), len(quick))


@cache
def _orders(quick: int, slow: int, inversions: int) -> int:
    """In how many orders of so many of both exactly so many pairs are the wrong way round."""
    if inversions < 0:
        return 0
    if quick == 0 or slow == 0:
        return int(inversions == 0)
    return _orders(quick - 1, slow, inversions - slow) + _orders(quick, slow - 1, inversions)


def percentile(values: Sequence[float], part: float) -> float | None:
    """The nearest rank: the least value that so many, from above 0 to 1, are not above."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def _quickest(rounds: Sequence[Runs], calls: Sequence[int]) -> tuple[float, ...]:
    return tuple(min(runs[call] for runs in rounds) for call in calls)


def _sums(rounds: Sequence[Runs], caps: Runs) -> tuple[float, ...]:
    """What took longer than its cap was interrupted, and counts as that."""
    return tuple(sum(min(runs[call], cap) for call, cap in caps.items()) for runs in rounds)
