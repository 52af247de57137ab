"""One stay of the functions on a host's event loop, from the start of their workers to the end of them."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio.to_thread
import structlog
from structlog.typing import FilteringBoundLogger

from service.access.prepare_control import prepare_control
from service.control.bulletin import create_bulletin
from service.embedding.plan import Plan
from service.embedding.workshop import Workshop
from service.pool.pool import PoolSize
from service.settings import Settings
from service.standing import Place, standing_state
from service.state import ServiceState

_log: FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """What serves requests."""

    state: ServiceState
    workshop: Workshop


class Stay:
    """Begins with being made, only where an event loop runs; tells when it stands, or why it does not. All of
    it is one task: a loop that ends with asyncio.run, as most do, cancels that task and waits for its end,
    whoever has forgotten to."""

    def __init__(self, settings: Settings, tell: Callable[[Standing | BaseException], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.pid = os.getpid()
        self.standing: Standing | None = None
        self._tell = tell
        self._stands = asyncio.Event()
        self._enough = asyncio.Event()
        # Not in the context of whatever request happened to be the first.
        self._task = self.loop.create_task(self._live(settings), context=contextvars.Context())
        self._task.add_done_callback(self._ended)

    @property
    def over(self) -> bool:
        """Whether nothing of it is left."""
        return self._task.done()

    async def begun(self) -> BaseException | None:
        """Wait until it stands: None, or why it does not. Who gives up waiting leaves it to the others."""
        stands = self.loop.create_task(self._stands.wait())
        try:
            await asyncio.wait((self._task, stands), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stands.cancel()
        return self._failure() if self.over else None

    async def end(self) -> None:
        """Return when no process of it is left."""
        self._enough.set()
        if self.standing is None:
            self._task.cancel()
        await asyncio.wait((self._task,))

    async def _live(self, settings: Settings) -> None:
        async with standing(settings) as found:
            self.standing = found
            self._tell(found)
            self._stands.set()
            try:
                await self._enough.wait()
            finally:
                self.standing = None

    def _failure(self) -> BaseException | None:
        return asyncio.CancelledError() if self._task.cancelled() else self._task.exception()

    def _ended(self, _: asyncio.Task[None]) -> None:
        failure = self._failure()
        if failure is not None and not self._stands.is_set():
            self._tell(failure)


@asynccontextmanager
async def standing(settings: Settings) -> AsyncIterator[Standing]:
    """Until the block ends. ControlRefused when the control database cannot be used, StartFailed when no
    worker can be had; errors of the service."""
    # In a thread with a loop of its own: it may load and do much.
    prepared = await anyio.to_thread.run_sync(asyncio.run, prepare_control(settings))
    if prepared.absent is not None:
        _log.error("no_control_database", reason=prepared.absent)
    # One that proves each zygote; of programs, none is run for a caller.
    size = PoolSize(settings.zygotes, 2 * settings.zygotes, 1)
    place = Place(local=False, bulletin=create_bulletin())
    async with standing_state(settings, place, size, _go_on) as state:
        workshop = Workshop(Plan.of(settings), state)
        try:
            await workshop.begin()
            yield Standing(state, workshop)
        finally:
            await workshop.end()


def _go_on() -> None:
    """The process is the host's: it has been told in the log, and callers are refused."""
