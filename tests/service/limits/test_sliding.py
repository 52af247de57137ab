"""The arithmetic of sliding windows: what is left, when there is more, and that the library says the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, Storage
from limits.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

from service.limits.shared_table import create_shared
from service.limits.sliding import State, left_and_wait, seconds_until, used
from tests.service.limits.clock import NOON, Clock
from tests.service.limits.library_storage import SharedWindows

# Where the library divides by a power of two it rounds nothing, and the two can be compared exactly.
WINDOW = 64
STEPS = st.lists(
    st.tuples(st.integers(0, 3 * WINDOW * 8).map(lambda eighth: eighth / 8), st.integers(1, 6)),
    min_size=1,
    max_size=30,
)


def later(state: State, seconds: int, after: float) -> int:
    """What is used ``after`` seconds if nothing else is counted."""
    previous, current, ttl = state
    if after < ttl:
        return used((previous, current, ttl - after), seconds)
    return used((current, 0, seconds - (after - ttl)), seconds) if after < ttl + seconds else 0


@contextmanager
def shared(clock: Clock) -> Iterator[SharedWindows]:
    """A small table of its own."""
    storage = SharedWindows(create_shared(slots=8, rows=8), clock)
    try:
        yield storage
    finally:
        storage.close()


@given(STEPS)
@settings(max_examples=60)
def test_the_library_in_our_memory_and_in_its_own(steps: list[tuple[float, int]]) -> None:
    """The same answers on the same history, and the same remaining counts."""
    clock = Clock()
    item = RateLimitItemPerSecond(10, WINDOW)

    def answers(storage: Storage) -> Iterator[tuple[bool, int, bool]]:
        strategy = SlidingWindowCounterRateLimiter(storage)
        clock.now = NOON
        for wait, cost in steps:
            clock.now += wait
            hit = strategy.hit(item, "key", cost=cost)
            yield hit, strategy.get_window_stats(item, "key").remaining, strategy.test(item, "key")

    with pytest.MonkeyPatch.context() as patch, shared(clock) as storage:
        for module in ("limits.storage.memory", "limits.strategies"):
            patch.setattr(f"{module}.time", SimpleNamespace(time=clock))
        ours, theirs = list(answers(storage)), list(answers(MemoryStorage()))
    assert ours == theirs


def test_only_the_strategy_that_it_is_for() -> None:
    """What is not counted in sliding windows is refused, not counted wrongly."""
    with shared(Clock()) as storage:
        assert storage.check()
        assert storage.acquire_sliding_window_entry("a", 1, WINDOW)
        assert not storage.acquire_sliding_window_entry("a", 1, WINDOW)
        storage.clear_sliding_window("a", WINDOW)
        assert storage.get_sliding_window("a", WINDOW) == (0, 0.0, 0, 2 * WINDOW)
        with pytest.raises(NotImplementedError):
            FixedWindowRateLimiter(storage).hit(RateLimitItemPerSecond(10, WINDOW), "key")
        with pytest.raises(NotImplementedError):
            storage.reset()


STATES = st.tuples(
    st.integers(0, 2000), st.integers(0, 2000), st.floats(1e-3, 60.0, allow_nan=False, exclude_min=True)
)


@given(STATES, st.integers(0, 2000))
def test_when_there_is_enough_again(state: State, enough: int) -> None:
    """At the second that is told, and not a second before it, if it is not so now."""
    wait = seconds_until(state, 60, enough)
    assert later(state, 60, wait) <= enough
    assert wait >= 1
    if wait > 1:
        assert later(state, 60, wait - 1 - 1e-5) > enough


@given(STATES, st.integers(1, 50), st.sampled_from([1, 1000]))
def test_left_and_wait(state: State, limit: int, unit: int) -> None:
    """Whole units; after the wait there is at least one more, and never more than all."""
    left, wait = left_and_wait(state, 60, limit * unit, unit)
    assert left == max(0, limit * unit - used(state, 60)) // unit
    if not used(state, 60):
        assert (left, wait) == (limit, 0)
        return
    assert wait <= 120
    assert (limit * unit - later(state, 60, wait)) // unit >= left + 1


@pytest.mark.parametrize(
    ("state", "enough", "seconds"),
    [
        ((0, 10, 30.0), 9, 31),  # the current window must end, and a moment of the next pass
        ((0, 10, 30.0), 4, 61),  # half of the next
        ((10, 0, 30.0), 4, 1),  # five count, in a moment four
        ((10, 0, 30.0), 0, 25),
        ((60, 0, 30.0), 29, 1),
        ((0, 1, 60.0), 0, 61),
        ((54, 48, 15.5), 45, 19),  # 18 exactly, which division makes 17.999...
    ],
)
def test_seconds_until(state: State, enough: int, seconds: int) -> None:
    assert seconds_until(state, 60, enough) == seconds


def test_descriptors_are_closed() -> None:
    """Those of the file and of its mapping."""
    before = len(os.listdir("/proc/self/fd"))
    with shared(Clock()):
        assert len(os.listdir("/proc/self/fd")) > before
    assert len(os.listdir("/proc/self/fd")) == before
