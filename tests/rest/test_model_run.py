"""A long run with a model: as many calls as there are new shapes, and nothing of any request in them but its
shape. ``LARS_RUN_REQUESTS=10000`` for the long form, which takes some ten seconds."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Iterator

import pytest
import structlog

from tests.rest.in_process import Answered, Front, Place
from tests.rest.stand_in import StandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")
REQUESTS = int(os.environ.get("LARS_RUN_REQUESTS", "1000"))
SHAPES = 20
SESSIONS = 4
PLANTED = "Zq7Planted"  # in every value that a request can have


@pytest.fixture(autouse=True)
def few_words() -> Iterator[None]:
    """A line for each request would take longer than the request."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


async def test_calls_are_as_many_as_new_shapes(place: Place) -> None:
    stand_in = StandIn()
    async with place.modelled(stand_in) as front:
        each = REQUESTS // SESSIONS
        counts = await asyncio.gather(*(_use(front, number, each) for number in range(SESSIONS)))
        assert sum(counts) == each * SESSIONS
    shapes = {ask.given["shape"]["path"] for ask in stand_in.asks}
    assert len(stand_in.asks) == len(shapes) == SHAPES
    assert [heard for heard in stand_in.heard if PLANTED.encode() in heard] == []


async def _use(front: Front, number: int, requests: int) -> int:
    """How many requests were answered as they should be: half of them by rules."""
    choose = random.Random(number)
    session = f"{PLANTED}-{number}"
    made = await front.send("POST", "/orders", {"id": f"{PLANTED}1", "name": PLANTED}, x_session_id=session)
    assert made.status == 201
    right = 1
    for turn in range(requests - 1):
        answer = await _one(front, choose, turn, session)
        assert answer.status == 200, answer
        right += 1
    return right


async def _one(front: Front, choose: random.Random, turn: int, session: str) -> Answered:
    headers = {"x_session_id": session, "x_odd": PLANTED, "user_agent": PLANTED}
    if turn % 2:
        return await front.send("GET", f"/orders/{PLANTED}1?{PLANTED}{turn}=1", **headers)
    action = f"act{choose.randrange(SHAPES) if turn >= 2 * SHAPES else turn // 2}"
    query = f"?{PLANTED}{turn}={PLANTED}" if turn % 3 else ""
    return await front.send("POST", f"/orders/{PLANTED}1/{action}{query}", **headers)
