"""So many calls to one provider at once, and as many again that wait: more are refused at once.

Places are shared among those who pay (``sandbox_runtime.shares``), so that nobody has all of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sandbox_runtime.planner.model import CallFailed
from sandbox_runtime.shares import EXEMPT, within_share

_AGAIN_AFTER: Final = 1.0  # seconds


class Gate:
    """First come, first served."""

    def __init__(self, provider: str, at_once: int) -> None:
        self._provider = provider
        self._at_once = at_once
        self._free = asyncio.Semaphore(at_once)
        self._held: Counter[str] = Counter()
        self._inside = 0

    @asynccontextmanager
    async def passing(self, payer: str = EXEMPT) -> AsyncIterator[None]:
        """Hold a place. CallFailed llm_overloaded when there is none, or none for this payer."""
        self._check(payer)
        self._inside += 1
        self._held[payer] += 1
        try:
            async with self._free:
                yield
        finally:
            self._inside -= 1
            self._held[payer] -= 1
            if not self._held[payer]:
                del self._held[payer]

    def _check(self, payer: str) -> None:
        places = 2 * self._at_once
        free, held = places - self._inside, self._held[payer]
        if free > 0 and (payer == EXEMPT or within_share(held, free, places)):
            return
        told = f"{self._inside} calls to {self._provider} run or wait already"
        if free > 0:
            told = f"{held} of {self._inside} calls to {self._provider} that run or wait are this caller's"
        failed = CallFailed("llm_overloaded", f"{told} (LARS_LLM_AT_ONCE is {self._at_once})")
        failed.retry_after = _AGAIN_AFTER
        raise failed
