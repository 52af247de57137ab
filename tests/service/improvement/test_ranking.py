"""Which function is to be rewritten first, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.functions.values import Function, FunctionSpec
from service.improvement.cycle.ranking import Seen, rank, seen_view
from service.improvement.trial.values import Goal
from tests.service.improvement.tallies import tally

SPEC = FunctionSpec("a" * 40, "f", "m", "/f")
FUNCTION = Function(SPEC, 2, "d" * 64, "{}", None, True, 0.0, 0.0, 1, "tester")


def seen(name: str, ok: int, failed: int = 0, run: float = 0.010) -> Seen:
    """A function that was called so often."""
    return Seen(replace(FUNCTION, spec=replace(SPEC, name=name)), tally(ok, failed, run))


def test_failures_come_first() -> None:
    """Then what takes most time in all; what nobody called is not there."""
    ranked = rank(
        [
            seen("idle", 0),
            seen("often", 100, run=0.010),
            seen("slow", 20, run=0.100),
            seen("fails", 98, 2),
            seen("fails_more", 50, 50),
            seen("fails_rarely", 199, 1, run=0.001),
        ]
    )
    assert [(each.function.spec.name, each.goal) for each in ranked] == [
        ("fails_more", "errors"),
        ("fails", "errors"),
        ("slow", "latency"),
        ("often", "latency"),
        ("fails_rarely", "latency"),
    ]
    assert ranked[0].reason == "50 of 100 calls failed (50.0%)"
    assert ranked[2].reason.startswith("20 calls took 2 s in all, p95 ")


@pytest.mark.parametrize(("goal", "failed"), [("errors", 0), ("latency", 50)])
def test_the_goal_may_be_given(goal: Goal, failed: int) -> None:
    """Whatever the figures say."""
    (ranked,) = rank([seen("f", 100, failed)], goal)
    assert ranked.goal == goal


def test_equals_have_an_order() -> None:
    """The same each time."""
    names = ["b", "a", "c"]
    found = [each.function.spec.name for each in rank([seen(name, 5) for name in names])]
    assert found == sorted(names)


def test_what_is_seen() -> None:
    """Errors, latency and cost of the current version; null where it never ran."""
    shown = seen_view(seen("f", 3, 1))
    assert (shown["calls"], shown["error_rate"], shown["cpu_ms_per_call"]) == (4, 0.25, 0.0)
    assert shown["recorded"] is False
    idle = seen_view(seen("f", 0))
    assert (idle["calls"], idle["error_rate"], idle["cpu_ms_per_call"], idle["p95_ms"]) == (
        0,
        None,
        None,
        None,
    )
