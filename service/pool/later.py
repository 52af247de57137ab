"""Something that is wanted again and again, and done once a while later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Later:
    """``work`` is called ``seconds`` after the first ``ask`` since it was called last."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, work: Callable[[], object]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._work = work
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> bool:
        """Have it done. Whether nobody else had asked."""
        if self._timer is not None:
            return False
        self._timer = self._loop.call_later(self._seconds, self._do)
        return True

    def cancel(self) -> None:
        """It is not done."""
        if self._timer is not None:
            self._timer.cancel()

    def _do(self) -> None:
        self._timer = None
        self._work()
