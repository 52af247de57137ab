"""Shares as pure decisions: what one may have, what is left for whoever comes, and how nice many jobs are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.pool.shares import niceness, within_share


def taken_alone(places: int, others: int = 0) -> int:
    """How many places one gets who takes all it may, while others hold some and take no more."""
    held = 0
    while within_share(held, places - others - held, places):
        held += 1
    return held


@pytest.mark.parametrize(
    ("places", "expected"), [(0, 0), (1, 1), (2, 1), (4, 3), (8, 7), (16, 14), (64, 56), (4096, 3584)]
)
def test_one_alone_leaves_an_eighth_and_at_least_one(places: int, expected: int) -> None:
    assert taken_alone(places) == expected


def test_who_shares_gets_less_and_a_newcomer_the_last_one() -> None:
    assert taken_alone(16, others=14) == 2
    assert taken_alone(16, others=15) == 1
    assert taken_alone(16, others=16) == 0


@given(st.integers(2, 200), st.lists(st.integers(0, 9), max_size=400))
def test_no_order_of_asking_gives_one_everything(places: int, asking: list[int]) -> None:
    held = dict.fromkeys(range(10), 0)
    for who in asking:
        if within_share(held[who], places - sum(held.values()), places):
            held[who] += 1
    assert sum(held.values()) <= places
    assert max(held.values()) <= max(1, 7 * (places - max(held.values())))


def test_two_jobs_are_not_slowed_and_more_weigh_ever_less() -> None:
    steps = [niceness(running) for running in range(1, 200)]
    assert steps[:4] == [0, 0, 3, 5]
    assert steps == sorted(steps)
    assert set(steps[64:]) == {19}


@given(st.integers(3, 34))
def test_a_crowd_weighs_no_more_than_two(running: int) -> None:
    assert running * 1.25 ** -niceness(running) <= 2
