"""What is done with a canary, from figures alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.functions.figures import Tally
from service.improvement.cycle.canary import Thresholds, judge
from tests.service.improvement.tallies import tally

TERMS = Thresholds(calls=20, seconds=60.0, errors=0.01, slowdown=1.5)


@pytest.mark.parametrize(
    ("live", "canary", "elapsed", "action"),
    [
        (tally(400), tally(19), 1.0, "wait"),
        (tally(400), tally(20), 1.0, "promote"),
        (tally(400), tally(20, run=0.012), 1.0, "promote"),
        (tally(400), tally(20, run=0.020), 1.0, "roll_back"),
        (tally(400, run=0.0001), tally(20, run=0.001), 1.0, "promote"),  # nobody notices a millisecond
        (tally(0), tally(20), 1.0, "promote"),  # there is nothing that it could be slower than
        (tally(400), tally(0, 1), 1.0, "roll_back"),  # one is more than a fifth of one
        (tally(400), tally(19, 1), 1.0, "roll_back"),
        (tally(360, 40), tally(1, 2), 1.0, "wait"),  # a tenth and 1 % of 20 is 2.2
        (tally(360, 40), tally(1, 3), 1.0, "roll_back"),
        (tally(360, 40), tally(18, 2), 1.0, "promote"),
        (tally(0, 400), tally(0, 20), 1.0, "promote"),
        (tally(400), tally(19), 60.0, "roll_back"),  # too few in all that time
        (tally(400), tally(0), 59.9, "wait"),
        (tally(400), tally(5, caller_error=50, platform_error=50), 1.0, "wait"),  # none of these ran
    ],
)
def test_decision(live: Tally, canary: Tally, elapsed: float, action: str) -> None:
    """Errors count at once, latency when there are enough calls, and time is not endless."""
    judged = judge(live, canary, elapsed, TERMS)
    assert judged.action == action, judged.why
    assert judged.why


COUNTS = st.integers(0, 60)
RUNS = (0.001, 0.01, 0.1)


@given(st.tuples(COUNTS, COUNTS), st.tuples(COUNTS, COUNTS), st.floats(0, 100), st.sampled_from(RUNS))
def test_what_is_promoted_has_earned_it(
    ended: tuple[int, int], live_ended: tuple[int, int], elapsed: float, run: float
) -> None:
    """Enough calls, no more errors than are allowed, not slower; and nothing waits for ever."""
    ok, failed = ended
    live, canary = tally(*live_ended), tally(ok, failed, run)
    judged = judge(live, canary, elapsed, TERMS)
    if judged.action == "promote":
        assert ok + failed >= TERMS.calls
        assert failed / (ok + failed) <= (live.failure_rate or 0.0) + TERMS.errors
        assert not live.runs or run <= 0.010 * TERMS.slowdown * 1.2
    if judged.action == "wait":
        assert elapsed < TERMS.seconds


def test_figures_since() -> None:
    """What both versions did before does not count, and nothing is ever less than none."""
    before, now = tally(5, 1), tally(25, 3, caller_error=2)
    since = now.since(before)
    assert since.outcomes == {"ok": 20, "function_error": 2, "caller_error": 2}
    assert sum(since.runs.values()) == 22
    assert since.run == pytest.approx(0.22)
    assert now.since(now).outcomes == {}
    assert before.since(now).outcomes == {}
