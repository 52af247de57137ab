"""The workers of one host: a supervisor process that makes them, heard, and replaced when it has died."""

from __future__ import annotations

import asyncio
import time

import structlog
from structlog.typing import FilteringBoundLogger

from service.embedding.child import Child
from service.embedding.plan import Plan
from service.introduction import Introduction
from service.state import ServiceState
from service.supervisor.restarts import LONGEST_WAIT, Restarts
from service.supervisor.supervisor import StartFailed

_PATIENCE = 5.0  # seconds for a supervisor to end its zygotes, then itself
_log: FilteringBoundLogger = structlog.get_logger(__name__)


class Workshop:
    """``begin`` before the first request, ``end`` after the last."""

    def __init__(self, plan: Plan, state: ServiceState) -> None:
        self._plan = plan
        self._state = state
        self._restarts = Restarts()
        self._child: Child | None = None
        self._attended = False
        self._keeping: asyncio.Task[None] | None = None

    @property
    def attended(self) -> bool:
        """Whether there is a supervisor; without one no worker comes before the next has been started."""
        return self._attended

    async def begin(self) -> None:
        """Return when a program has run in a worker. StartFailed, or OSError."""
        keeping = self._keeping = asyncio.create_task(self._keep(self._start()))
        ready = asyncio.create_task(self._state.pool.wait_ready())
        try:
            await asyncio.wait((keeping, ready), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if keeping.done():
            keeping.result()

    async def end(self) -> None:
        """No process is left."""
        if self._keeping is not None:
            self._keeping.cancel()  # which may not be the first time: a loop that ends cancels every task
            await asyncio.wait((self._keeping,))
        if self._child is not None:
            self._child.dismiss()
            await self._child.ended(_PATIENCE)

    async def _keep(self, child: Child) -> None:
        """One supervisor after the other, until it is cancelled. StartFailed when the first is of no use."""
        why = await self._attend(child)
        if why is not None:
            raise StartFailed(why)
        while True:
            try:
                child = self._start()
            except OSError as error:
                await self._wait_to_try(str(error))
                continue
            why = await self._attend(child)
            if why is not None:
                await self._wait_to_try(why)

    def _start(self) -> Child:
        self._child = Child(self._plan)
        return self._child

    async def _attend(self, child: Child) -> str | None:
        """Until it has ended, and the next may be started; or why it was of no use."""
        self._attended = True
        closed = asyncio.Event()
        introduction = Introduction(child.control, self._state, closed.set)
        introduction.attach()
        proving = asyncio.create_task(self._prove(child.pid))
        try:
            await closed.wait()
        finally:
            self._attended = False
            introduction.detach()
            proved = proving.done()
            proving.cancel()
        status = await child.ended(_PATIENCE)
        self._child = None
        if not proved:
            return introduction.why or f"its supervisor ended with exit code {status} before a program ran"
        delay = self._restarts.died(child.pid, time.monotonic())
        _log.error("supervisor_died", pid=child.pid, exit_code=status, restart_in=delay)
        await asyncio.sleep(delay)
        return None

    async def _prove(self, pid: int) -> None:
        await self._state.pool.wait_ready()
        self._restarts.started(pid, time.monotonic())
        self._restarts.proved()

    async def _wait_to_try(self, why: str) -> None:
        """A host goes on without workers; whether to, is not ours to say."""
        delay = self._restarts.could_not_start()
        delay = LONGEST_WAIT if delay is None else delay
        _log.error("supervisor_could_not_start", reason=why, restart_in=delay)
        await asyncio.sleep(delay)
