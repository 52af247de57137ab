"""So many calls to one provider at once, and as many again that wait: more are refused at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sandbox_runtime.planner.model import CallFailed


class Gate:
    """First come, first served."""

    def __init__(self, provider: str, at_once: int) -> None:
        self._provider = provider
        self._at_once = at_once
        self._free = asyncio.Semaphore(at_once)
        self._inside = 0

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Hold a place. CallFailed llm_overloaded when too many wait."""
        if self._inside >= 2 * self._at_once:
            detail = f"{self._inside} calls to {self._provider} run or wait already"
            raise CallFailed("llm_overloaded", f"{detail} (LARS_LLM_AT_ONCE is {self._at_once})")
        self._inside += 1
        try:
            async with self._free:
                yield
        finally:
            self._inside -= 1
