"""Pure arithmetic over samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least a ``share`` (0 to 1) of all does not exceed. ValueError on none."""
    if not samples:
        raise ValueError("percentile of no samples")
    if not 0 <= share <= 1:
        raise ValueError(f"share {share}: expected 0 to 1")
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(samples: Sequence[float]) -> float:
    """The middle sample, or the mean of the two in the middle. ValueError on none."""
    if not samples:
        raise ValueError("median of no samples")
    ordered = sorted(samples)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


@dataclass(frozen=True, slots=True)
class Spread:
    """What several rounds of one measurement gave."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        """ValueError on no samples."""
        return cls(median(samples), min(samples), max(samples))


def ratios(measured: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Round by round, so that what slows a whole round slows both sides. ValueError unless the rounds pair up
    and every baseline is above 0."""
    if len(measured) != len(baseline):
        raise ValueError(f"{len(measured)} rounds against {len(baseline)}")
    if any(base <= 0 for base in baseline):
        raise ValueError(f"a baseline of {min(baseline)}: nothing was measured")
    return [value / base for value, base in zip(measured, baseline, strict=True)]
