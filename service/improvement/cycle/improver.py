"""The runs that one front works on: those that begin here, and those that another has left."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

from service.access.principal import Actor
from service.errors import ControlUnavailable
from service.improvement.cycle import cycle
from service.improvement.cycle.automatic import Automatic
from service.improvement.cycle.logbook import Logbook
from service.improvement.cycle.workshop import Workshop
from service.improvement.runs.store import LEASE, RunLost
from service.improvement.runs.values import Order, Run
from service.planning.asker import Asker

SERVICE: Final = Actor("service", "")
"""Who begins runs that nobody asked for."""
_LOOK: Final = LEASE / 5  # seconds
_log: FilteringBoundLogger = structlog.get_logger("lars.improvement")


class Improver:
    """``run`` beside the requests, then ``close``."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._holder = secrets.token_hex(8)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failing = False
        self._automatic = Automatic(workshop, self._begin_own)

    async def start(self, order: Order, by: Actor, asker: Asker) -> Run:
        """Begin a run. PlannerFailed when there is no model to ask; Conflict when its target is being
        improved already; ControlUnavailable."""
        self._workshop.planning.check_configured()
        run = await self._workshop.control.runs.create(order, by, self._holder)
        self._begin(run, asker, cycle.go)
        return run

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep())
            group.create_task(self._automatic.run())

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            try:
                await self._look()
            except ControlUnavailable as error:
                if not self._failing:
                    self._failing = True
                    _log.error("runs_not_seen", reason=error.reason)
            else:
                self._failing = False

    async def close(self) -> None:
        """Leave what is being worked on to others."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        await asyncio.wait(tasks)
        try:
            await self._workshop.control.runs.release(self._holder)
        except ControlUnavailable as error:
            _log.warning("runs_not_released", reason=error.reason)

    async def look_now(self) -> None:
        """Go on with runs that wait for somebody. ControlUnavailable."""
        for run in await self._workshop.control.runs.adopt(self._holder, frozenset(self._tasks)):
            self._begin(run, Asker(run.by), cycle.go_on)

    async def _look(self) -> None:
        held = frozenset(self._tasks)
        for run_id in held - await self._workshop.control.runs.renew(self._holder, held):
            if run_id in self._tasks:
                self._tasks[run_id].cancel()  # it has ended, or is another's
        await self.look_now()

    async def _begin_own(self, order: Order) -> None:
        """One that nobody asked for. Conflict when there was one just now; ControlUnavailable."""
        interval = self._workshop.terms.interval
        run = await self._workshop.control.runs.create(order, SERVICE, self._holder, interval)
        self._begin(run, Asker(SERVICE.principal), cycle.go)

    def _begin(self, run: Run, asker: Asker, work: Callable[[Workshop, Logbook], Awaitable[None]]) -> None:
        asker.budget = run.order.budget_tokens
        logbook = Logbook(self._workshop.control.runs, run, asker)
        task = asyncio.create_task(_until_lost(work(self._workshop, logbook)))
        self._tasks[run.id] = task
        task.add_done_callback(partial(self._done, run.id))

    def _done(self, run_id: str, task: asyncio.Task[None]) -> None:
        """Whoever finds it when its lease has run out goes on with what failed here."""
        del self._tasks[run_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("run_left", run=run_id, exc_info=error)


async def _until_lost(work: Awaitable[None]) -> None:
    with suppress(RunLost):
        await work
