"""Turns: in order, one at a time, and none is lost, whoever gives up."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from service.pool.turn import Turn

LATE = 60.0


def soon() -> float:
    return time.monotonic() + LATE


async def wait_for_all(turn: Turn, count: int) -> tuple[list[asyncio.Task[None]], list[int]]:
    """So many who wait; whose turn it is writes down its number, and keeps it."""
    came: list[int] = []

    async def one(number: int) -> None:
        await turn.acquire(soon())
        came.append(number)

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    await asyncio.sleep(0)
    return tasks, came


async def test_first_come_first_served() -> None:
    turn = Turn()
    assert not turn.locked()
    tasks, came = await wait_for_all(turn, 4)
    for number in range(4):
        await tasks[number]
        assert (came, turn.locked()) == (list(range(number + 1)), True)
        turn.release()
    assert not turn.locked()


async def test_who_waited_too_long_is_told_and_passed_over() -> None:
    turn = Turn()
    await turn.acquire(soon())
    with pytest.raises(TimeoutError):
        await turn.acquire(time.monotonic() + 0.01)
    with pytest.raises(TimeoutError):
        await turn.acquire(time.monotonic() - 1)
    turn.release()
    assert not turn.locked()


async def test_a_turn_that_comes_to_one_who_is_cancelled_goes_on() -> None:
    turn = Turn()
    await turn.acquire(soon())
    tasks, came = await wait_for_all(turn, 2)
    turn.release()  # to the first, which has not run yet
    tasks[0].cancel()
    await asyncio.wait(tasks)
    assert (tasks[0].cancelled(), came, turn.locked()) == (True, [1], True)
    turn.release()
    assert not turn.locked()


async def test_whatever_happens_one_has_it_at_a_time_and_none_is_lost() -> None:
    turn, chance = Turn(), random.Random(7)
    having = most = served = 0

    async def one() -> None:
        nonlocal having, most, served
        await turn.acquire(time.monotonic() + chance.choice((0.0, 0.002, LATE)))
        having += 1
        most = max(most, having)
        try:
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
        finally:
            having -= 1
            turn.release()
        served += 1

    tasks = [asyncio.create_task(one()) for _ in range(300)]
    for task in chance.sample(tasks, 60):
        await asyncio.sleep(0)
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ends} <= {type(None), TimeoutError, asyncio.CancelledError}
    assert (most, having, turn.locked()) == (1, 0, False)
    assert served == sum(end is None for end in ends) > 60
