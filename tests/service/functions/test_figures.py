"""Figures of versions: what percentiles are worth, and that none is lost on its way."""

from __future__ import annotations

import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.functions.figures import BOUNDS, ERROR, OUTCOMES, CallOutcome, Tally, VersionKey, tally_view
from service.functions.function_meter import FunctionMeter

KEYS = tuple(VersionKey("a" * 40, name, version) for name in ("f", "g") for version in (1, 2))
RUNS = st.floats(BOUNDS[0], BOUNDS[-1])
CALLS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(OUTCOMES), st.integers(0, 1 << 30)), max_size=30
)


def tally_of(*runs: float, outcome: CallOutcome = "ok") -> Tally:
    """Calls that took so many seconds."""
    tally = Tally()
    for run in runs:
        tally.count(outcome, run, 0.0, 1.0)
    return tally


@given(st.lists(RUNS, min_size=1, max_size=200), st.integers(1, 100))
def test_percentiles_are_close_to_exact_ones(runs: list[float], percent: int) -> None:
    """Nearest rank; the error that is promised is below nine percent."""
    exact = sorted(runs)[math.ceil(len(runs) * percent / 100) - 1]
    found = tally_of(*runs).percentile(percent)
    assert found is not None
    assert abs(found - exact) <= exact * ERROR * (1 + 1e-9)
    assert ERROR < 0.09


@pytest.mark.parametrize(
    ("run", "shown"),
    [(0.0, 1e-5), (1e-9, 1e-5), (1e-5, 1e-5), (1000.0, 982.3), (1001.0, 1e3), (math.inf, 1e3)],
)
def test_run_times_beyond_the_bounds(run: float, shown: float) -> None:
    """Are told as the bound."""
    assert tally_of(run).percentile(50) == pytest.approx(shown, rel=0.1)
    if not BOUNDS[0] < run <= BOUNDS[-1]:
        assert tally_of(run).percentile(99) == shown


def test_the_bounds_are_fifteen_to_a_decade() -> None:
    """From 10 us to 1000 s, and each is the end of its own bucket."""
    assert (BOUNDS[0], BOUNDS[15], BOUNDS[30], BOUNDS[-1], len(BOUNDS)) == (1e-5, 1e-4, 1e-3, 1000.0, 121)
    assert list(BOUNDS) == sorted(set(BOUNDS))
    assert [list(tally_of(bound).runs) for bound in BOUNDS] == [[number] for number in range(len(BOUNDS))]
    assert all(list(tally_of(math.nextafter(bound, 2e3)).runs) == [n + 1] for n, bound in enumerate(BOUNDS))


@given(st.lists(RUNS), st.lists(RUNS), st.lists(RUNS))
def test_adding_up_in_any_order_is_counting_all(
    one: list[float], two: list[float], three: list[float]
) -> None:
    """Associative and commutative, but for the rounding of sums; what is added up stays as it was."""
    a, b, c = (tally_of(*runs) for runs in (one, two, three))
    every = tally_of(*one, *two, *three)
    for total in (a + b + c, a + (b + c), c + (a + b), Tally() + b + (c + a)):
        assert (total.runs, total.outcomes, total.last_called) == (
            every.runs,
            every.outcomes,
            every.last_called,
        )
        assert total.run == pytest.approx(every.run)
    assert (a, b, c) == tuple(tally_of(*runs) for runs in (one, two, three))


def test_only_what_ran_has_run_times() -> None:
    """Each call counts."""
    meter = FunctionMeter(lambda: 5.0)
    for run, outcome in enumerate(OUTCOMES, 1):
        meter.count(KEYS[0], outcome, run / 1000, 0.25)
    (tally,) = meter.take().values()
    assert tally.outcomes == dict.fromkeys(OUTCOMES, 1)
    assert tally.runs == dict.fromkeys((bisect_left(BOUNDS, run) for run in (0.001, 0.003)), 1)
    assert (tally.calls, tally.cpu, tally.run, tally.last_called) == (4, 1.0, 0.004, 5.0)


@given(CALLS, st.lists(st.sampled_from(["take", "lose", ""]), min_size=30, max_size=30))
def test_nothing_is_lost_or_counted_twice(
    calls: list[tuple[VersionKey, CallOutcome, int]], then: list[str]
) -> None:
    """However often the figures are taken, and put back because they could not be written."""
    meter, written = FunctionMeter(), dict.fromkeys(KEYS, Tally())
    whole = {key: Tally() for key in KEYS}
    lost = None
    for (key, outcome, microseconds), what in zip(calls, then, strict=False):
        meter.count(key, outcome, microseconds / 1e6, 0.5)
        whole[key].count(outcome, microseconds / 1e6, 0.5, 0.0)
        if what == "lose" and lost is None:
            lost = meter.take()
        elif lost is not None:  # others were counted meanwhile
            meter.put_back(lost)
            lost = None
        elif what == "take":
            written |= {key: written[key] + tally for key, tally in meter.take().items()}
    meter.put_back(lost or {})
    written |= {key: written[key] + tally for key, tally in meter.take().items()}
    for key in KEYS:
        assert (written[key].outcomes, written[key].runs) == (whole[key].outcomes, whole[key].runs)
        assert (written[key].cpu, written[key].run) == pytest.approx((whole[key].cpu, whole[key].run))
    assert meter.take() == {}


def test_what_is_shown() -> None:
    """Milliseconds with three digits; null where there is nothing to tell."""
    tally = tally_of(*[0.001] * 94, *[0.02] * 5) + tally_of(3.0, outcome="function_error")
    tally += Tally({"caller_error": 7}, cpu=0.0123456, last_called=1767225600.0)
    assert tally_view(tally) == {
        "calls": 107,
        "ok": 99,
        "caller_error": 7,
        "function_error": 1,
        "platform_error": 0,
        "cpu_ms": 12.346,
        "p50_ms": 0.926,
        "p95_ms": 19.9,
        "p99_ms": 19.9,
        "last_called": "2026-01-01T00:00:00Z",
    }
    nothing = tally_view(Tally())
    assert [nothing[name] for name in ("calls", "cpu_ms", "p50_ms", "p99_ms", "last_called")] == [
        0,
        0.0,
        None,
        None,
        None,
    ]
