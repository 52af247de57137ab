"""Runs that the service begins by itself: one each interval at most, and none that would find nothing to do,
so that neither the list of runs nor the audit log fills with them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

from service.errors import Conflict, ControlUnavailable
from service.improvement.cycle.searching import is_promising
from service.improvement.cycle.workshop import Workshop
from service.improvement.runs.values import Order

_SECOND: Final = 1.0
_FIRST: Final = 2.0  # seconds in which runs that were left are taken up, and their functions freed
_LOOK: Final = 60.0  # seconds after which it is looked again whether there is anything to do
_log: FilteringBoundLogger = structlog.get_logger("lars.improvement")


class Automatic:
    """One front's. ``begin``: begins the run; Conflict when another was faster. ``first``: seconds until
    it looks for the first time."""

    def __init__(
        self, workshop: Workshop, begin: Callable[[Order], Awaitable[None]], first: float = _FIRST
    ) -> None:
        self._first = first
        self._workshop = workshop
        self._begin = begin
        self._failing = False

    async def run(self) -> None:
        """Until it is cancelled; at once over where the service is to begin none."""
        if not self._workshop.terms.interval:
            return
        await asyncio.sleep(self._first)
        while True:
            try:
                seconds = await self._look()
            except ControlUnavailable as error:
                seconds = _LOOK
                if not self._failing:
                    _log.error("run_not_begun", reason=error.reason)
                self._failing = True
            else:
                self._failing = False
            # Not all fronts at once: who comes second sees that there is one, and need not be refused.
            await asyncio.sleep(max(_SECOND, seconds) + random.random())  # noqa: S311 - no secret

    async def _look(self) -> float:
        """Begin one if it is time to, and there is anything to do. Seconds until it is to be called again."""
        terms = self._workshop.terms
        if not self._workshop.planning.configured:
            return _SECOND
        last = await self._workshop.control.runs.last_automatic()
        wait = 0.0 if last is None else last + terms.interval - time.time()
        if wait > 0:
            return min(wait, terms.interval)
        order = Order(terms.usual.candidates, terms.usual.tokens)
        if not await is_promising(self._workshop, order):
            return min(_LOOK, terms.interval)
        try:
            await self._begin(order)
        except Conflict as error:
            _log.info("run_not_begun", reason=error.detail)
        return terms.interval
