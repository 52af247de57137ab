"""Work on large bodies: one at a time, with as much time for everybody else in between."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from itertools import pairwise

import pytest

from service.http.large import LargeWork

SECONDS = 0.05


async def test_between_two_everybody_else_has_as_much_time() -> None:
    large, spans = LargeWork(), list[tuple[float, float]]()
    others = 0

    def work() -> None:
        began = time.monotonic()
        while time.monotonic() < began + SECONDS:
            continue
        spans.append((began, time.monotonic()))

    async def other() -> None:
        nonlocal others
        while len(spans) < 4:
            others += 1
            await asyncio.sleep(SECONDS / 10)

    await asyncio.gather(*(large.run(work) for _ in range(4)), other())
    pauses = [after[0] - before[1] for before, after in pairwise(spans)]
    assert min(pauses) >= SECONDS * 0.99
    assert others >= 4


async def test_what_it_raises_is_raised_and_the_next_one_runs() -> None:
    large = LargeWork()
    with pytest.raises(ZeroDivisionError):
        await large.run(lambda: 1 / 0)
    assert await large.run(lambda: 42) == 42


async def test_who_leaves_is_passed_over() -> None:
    large, came = LargeWork(), list[int]()
    await large.run(lambda: time.sleep(SECONDS))
    waiting = [asyncio.create_task(large.run(partial(came.append, number))) for number in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()
    await asyncio.wait(waiting)
    assert came == [2]
