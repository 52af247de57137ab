"""Which function is worth a rewrite, and why. Pure.

Those that fail come first, by how many calls did; then those that take time, by how much they took in all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from service.functions.figures import Tally, tally_view
from service.functions.values import Function
from service.improvement.trial.values import Goal

FAILING: Final = 0.01
"""Part of the calls that ran: from here on failures are the reason."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A function that is loaded, and what its current version did."""

    function: Function
    tally: Tally


@dataclass(frozen=True, slots=True)
class Ranked:
    """``score``: calls that failed, or seconds that calls took."""

    function: Function
    goal: Goal
    score: float
    reason: str


def rank(seen: Iterable[Seen], goal: Goal | None = None) -> list[Ranked]:
    """The best first. ``goal``: None lets the figures say. Functions that nobody called are in no rank."""
    ranked = [_ranked(each, goal) for each in seen if _ran(each.tally)]
    ranked.sort(key=lambda each: each.function.spec.hash + each.function.spec.name)
    return sorted(ranked, key=lambda each: (each.goal != "errors", -each.score))


def seen_view(seen: Seen) -> dict[str, object]:
    """What is seen of one, as JSON: errors, latency, cost of its current version."""
    spec, tally = seen.function.spec, seen.tally
    shown, ran = tally_view(tally), _ran(tally)
    return {
        "visible_pixel_hash": spec.hash,
        "function_name": spec.name,
        "version": seen.function.version,
        "calls": tally.calls,
        "error_rate": None if tally.failure_rate is None else round(tally.failure_rate, 4),
        "p50_ms": shown["p50_ms"],
        "p95_ms": shown["p95_ms"],
        "cpu_ms_per_call": round(tally.cpu * 1000 / ran, 3) if ran else None,
        "recorded": seen.function.recording is not None,
    }


def _ranked(seen: Seen, goal: Goal | None) -> Ranked:
    tally = seen.tally
    failed, ran, rate = tally.outcomes.get("function_error", 0), _ran(tally), tally.failure_rate or 0.0
    if goal == "errors" or (goal is None and rate >= FAILING):
        return Ranked(seen.function, "errors", failed, f"{failed} of {ran} calls failed ({rate:.1%})")
    p95 = tally_view(tally)["p95_ms"]
    reason = f"{ran} calls took {tally.run:.3g} s in all, p95 {p95} ms"
    return Ranked(seen.function, "latency", tally.run, reason)


def _ran(tally: Tally) -> int:
    return sum(tally.runs.values())
