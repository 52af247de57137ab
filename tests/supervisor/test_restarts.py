"""When a child is started again: pure arithmetic over a clock that the test holds."""

from __future__ import annotations

import itertools

from service.supervisor.restarts import LONGEST_WAIT, MAX_START_FAILURES, Restarts


def test_a_child_that_dies_after_long_is_started_at_once_every_time() -> None:
    restarts = Restarts()
    for pid in range(50):
        restarts.started(pid, 100.0 * pid)
        assert restarts.died(pid, 100.0 * pid + 10.0) == 0.0


def test_children_that_die_soon_are_waited_for_longer_and_longer() -> None:
    restarts = Restarts()
    waits = []
    for pid in range(10):
        restarts.started(pid, float(pid))
        waits.append(restarts.died(pid, pid + 9.9))
    assert waits == [0.0, 0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_the_wait_stays_bounded_for_ever() -> None:
    restarts = Restarts()
    assert max(restarts.died(pid, 0.0) for pid in range(5000)) == LONGEST_WAIT


def test_one_long_life_ends_a_row_of_quick_deaths() -> None:
    restarts = Restarts()
    for pid in range(5):
        restarts.died(pid, 0.0)
    restarts.started(9, 0.0)
    assert restarts.died(9, 60.0) == 0.0
    assert restarts.died(10, 60.0) == 0.0


def test_deaths_never_give_up() -> None:
    restarts = Restarts()
    for pid in range(100):
        restarts.died(pid, 0.0)
    assert restarts.start_failures == 0


def test_failures_to_start_give_up_after_five_in_a_row() -> None:
    restarts = Restarts()
    assert [restarts.could_not_start() for _ in range(MAX_START_FAILURES)] == [0.0, 0.0, 0.2, 0.4, None]
    assert restarts.could_not_start() is None


def test_standing_alone_does_not_make_up_for_failures_but_proof_does() -> None:
    restarts = Restarts()
    for pid in range(MAX_START_FAILURES - 1):
        restarts.started(pid, 0.0)
        assert restarts.could_not_start() is not None
    restarts.proved()
    assert list(itertools.takewhile(lambda wait: wait is not None, iter(restarts.could_not_start, None))) == [
        0.0,
        0.0,
        0.2,
        0.4,
    ]


def test_a_child_that_ended_as_it_should_is_forgotten() -> None:
    restarts = Restarts()
    restarts.started(1, 0.0)
    restarts.ended(1)
    restarts.ended(2)
    assert restarts == Restarts()
