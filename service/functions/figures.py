"""How often, how well and how long the versions of functions ran. Values only.

Run times are kept as counts of logarithmic buckets, fifteen to a decade, so that fronts can add theirs up and
percentiles are off by ERROR at most, however many calls there are.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal, NamedTuple, TypeVar, get_args

from service.times import shown_time

_Name = TypeVar("_Name")
CallOutcome = Literal["ok", "caller_error", "function_error", "platform_error"]
OUTCOMES: Final[tuple[CallOutcome, ...]] = get_args(CallOutcome)
# Of the others nothing ran, or nobody knows for how long.
RAN: Final[frozenset[CallOutcome]] = frozenset(("ok", "function_error"))

# Powers of 10 ** (1 / 15), to three digits: 1, 2.15, 4.64 and 10 are among them.
_STEPS: Final = "1 1.17 1.36 1.58 1.85 2.15 2.51 2.93 3.41 3.98 4.64 5.41 6.31 7.36 8.58"
_DECADES: Final = range(-5, 3)
# Seconds. Bucket i holds what is above BOUNDS[i - 1] and not above BOUNDS[i]; the last one what is above all.
# The control database has buckets by their number: who changes the bounds changes what is there.
BOUNDS: Final = (*(float(f"{step}e{decade}") for decade in _DECADES for step in _STEPS.split()), 1000.0)
_SHOWN: Final = (BOUNDS[0], *(math.sqrt(low * high) for low, high in pairwise(BOUNDS)), BOUNDS[-1])
# Of a percentile between the first and the last bound, as a part of it.
ERROR: Final = max(math.sqrt(high / low) - 1 for low, high in pairwise(BOUNDS))


class VersionKey(NamedTuple):
    """One version of one function. ``hash``: visible_pixel_hash, in lower case. A tuple, because each call
    looks one up: a dataclass hashes and compares ten times as slowly."""

    hash: str
    name: str
    version: int


@dataclass(slots=True)
class Tally:
    """Of one version. ``outcomes``: calls by how they ended; ``cpu`` and ``run``: seconds, in all; ``runs``:
    calls by bucket of BOUNDS; ``last_called``: seconds since the epoch. A meter counts on it until it is
    taken; from then on nobody changes it."""

    outcomes: dict[CallOutcome, int] = field(default_factory=dict)
    cpu: float = 0.0
    run: float = 0.0
    runs: dict[int, int] = field(default_factory=dict)
    last_called: float = 0.0

    @property
    def calls(self) -> int:
        """However they ended."""
        return sum(self.outcomes.values())

    @property
    def success_rate(self) -> float | None:
        """The part of the calls that ran which the function answered, 0 to 1; None when none ran."""
        ran = sum(self.outcomes.get(outcome, 0) for outcome in RAN)
        return self.outcomes.get("ok", 0) / ran if ran else None

    def count(self, outcome: CallOutcome, run: float, cpu: float, now: float) -> None:
        """One call. ``run`` and ``cpu`` in seconds."""
        outcomes = self.outcomes
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        self.cpu += cpu
        self.last_called = now
        if outcome in RAN:
            self.run += run
            bucket = bisect_left(BOUNDS, run)
            self.runs[bucket] = self.runs.get(bucket, 0) + 1

    def absorb(self, other: Tally) -> None:
        """Count what the other has counted, too."""
        _absorb(self.outcomes, other.outcomes)
        _absorb(self.runs, other.runs)
        self.cpu += other.cpu
        self.run += other.run
        self.last_called = max(self.last_called, other.last_called)

    def __add__(self, other: Tally) -> Tally:
        total = Tally(dict(self.outcomes), self.cpu, self.run, dict(self.runs), self.last_called)
        total.absorb(other)
        return total

    def since(self, before: Tally) -> Tally:
        """What was counted after it was ``before``."""
        return Tally(
            _less(self.outcomes, before.outcomes),
            self.cpu - before.cpu,
            self.run - before.run,
            _less(self.runs, before.runs),
            self.last_called,
        )

    @property
    def failure_rate(self) -> float | None:
        """The part of the calls that ran which failed, 0 to 1; None when none ran."""
        rate = self.success_rate
        return None if rate is None else 1 - rate

    def percentile(self, percent: int) -> float | None:
        """The run time in seconds that so many percent of the calls that ran did not exceed (nearest rank),
        within ERROR; None when none ran. Up to 10 us is 10 us, and above 1000 s is 1000 s."""
        rank = -(-sum(self.runs.values()) * percent // 100)
        for bucket in sorted(self.runs):
            rank -= self.runs[bucket]
            if rank <= 0:
                return _SHOWN[bucket]
        return None


def tally_view(tally: Tally) -> dict[str, object]:
    """As JSON shows it: times in milliseconds, ``last_called`` as RFC 3339; null where nothing ran or was
    called."""
    return {
        "calls": tally.calls,
        **{outcome: tally.outcomes.get(outcome, 0) for outcome in OUTCOMES},
        "cpu_ms": round(tally.cpu * 1000, 3),
        **{f"p{percent}_ms": _milliseconds(tally.percentile(percent)) for percent in (50, 95, 99)},
        "last_called": shown_time(tally.last_called) if tally.last_called else None,
    }


def _absorb(into: dict[_Name, int], more: Mapping[_Name, int]) -> None:
    for name, number in more.items():
        into[name] = into.get(name, 0) + number


def _less(counts: Mapping[_Name, int], before: Mapping[_Name, int]) -> dict[_Name, int]:
    return {name: left for name, number in counts.items() if (left := number - before.get(name, 0)) > 0}


def _milliseconds(seconds: float | None) -> float | None:
    """With the three digits that mean anything."""
    return None if seconds is None else float(f"{seconds * 1000:.3g}")
