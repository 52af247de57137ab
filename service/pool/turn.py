"""Whose turn it is with something that serves one at a time: first come, first served, until a deadline.

asyncio.Lock inside asyncio.timeout does the same, at several times the cost where many wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque


class Turn:
    """Only where an event loop runs."""

    __slots__ = ("_taken", "_waiting")

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._taken

    async def acquire(self, deadline: float) -> None:
        """Return when it is the caller's, who must ``release`` it then. TimeoutError when it did not come by
        ``deadline``, a ``time.monotonic()`` value."""
        if not self._taken:
            self._taken = True
            return
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiting.append(mine)
        timer = loop.call_later(max(0.0, deadline - time.monotonic()), _expire, mine)
        try:
            await mine
        except BaseException:
            if mine in self._waiting:
                self._waiting.remove(mine)
            elif mine.done() and not mine.cancelled() and mine.exception() is None:
                self.release()  # it had just come when the caller was cancelled
            raise
        finally:
            timer.cancel()

    def release(self) -> None:
        """It goes to the one who has waited longest."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                return
        self._taken = False


def _expire(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_exception(TimeoutError())
