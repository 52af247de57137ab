"""Work on large bodies, which holds everybody else up while it lasts: one at a time, and half of a front's
time at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
LARGE: Final = 256 * 1024  # bytes: what is below takes some milliseconds, whatever is in it


class LargeWork:
    """Whose turn it is, on one front: first come, first served."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._free = 0.0  # the event loop's time

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, when everybody else has had as much time as the one before has taken."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            await asyncio.sleep(max(0.0, self._free - loop.time()))
            began = loop.time()
            try:
                return work()
            finally:
                now = loop.time()
                self._free = now + (now - began)
