"""The watch over a caller who may leave."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from service.http.disconnect import DisconnectWatch
from tests.garbage import left_of, no_collection

LONG = 0.05  # seconds: beyond these the watch is on


class Caller:
    """Leaves when it is told to."""

    def __init__(self) -> None:
        self._left = asyncio.Event()

    def leave(self) -> None:
        self._left.set()

    async def receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}


async def test_who_leaves_ends_the_work() -> None:
    caller = Caller()
    asyncio.get_running_loop().call_later(LONG, caller.leave)
    with pytest.raises(ClientDisconnect):
        async with DisconnectWatch(caller.receive):
            await asyncio.sleep(10)


async def test_nothing_of_it_is_left() -> None:
    """It has what the request has read, through those whom it asks."""
    with no_collection():
        async with DisconnectWatch(Caller().receive):
            await asyncio.sleep(LONG)
        assert await left_of(DisconnectWatch, Caller) == []
