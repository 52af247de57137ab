"""What a front has while it serves, whoever started it: the control database, keys that are in step with it,
limits, pools that have no zygote yet."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.access.denials import Denials
from service.access.watch import Watch
from service.beside import start_beside
from service.control.bulletin import Bulletin
from service.control.control import open_control
from service.functions.following import Following
from service.limits.store import Store, open_store
from service.pool.pool import Pool, PoolSize
from service.settings import Settings
from service.state import ServiceState, new_passage, new_state

_LONGEST_REST = 60.0  # seconds that a run may take beyond its timeout: waiting, collecting, answering


@dataclass(frozen=True, slots=True)
class Place:
    """``local``: it is reached on a loopback address alone. Descriptors, which go over to this front, of the
    memory in which all fronts announce changes, and of that in which they count; without ``counters`` it
    counts for itself."""

    local: bool
    bulletin: int
    counters: int | None = None


@asynccontextmanager
async def standing_state(
    settings: Settings, place: Place, size: PoolSize, fault: Callable[[], None]
) -> AsyncIterator[ServiceState]:
    """Until the block ends; then no worker is left. ``fault`` is called when the state is of no use any more.
    ControlUnavailable when the database is there and its keys cannot be read, LimitsUnavailable when nothing
    can be counted."""
    async with open_control(settings, must_seal=False) as opened:
        store = await _open_store(settings, place.counters)
        passage = new_passage(settings, store, Denials(opened.audit), local=place.local)
        bulletin = Bulletin(place.bulletin)
        state = new_state(settings, Pool(size), passage, opened, bulletin)
        functions = state.functions
        following = Following(opened.functions, functions.table, functions.contracts.release)
        passage.watch = watch = Watch(opened, passage, bulletin, following, functions.meter)
        beside: list[asyncio.Task[None]] = []
        try:
            await watch.begin()
            beside = [
                start_beside(work(), fault)
                for work in (watch.run, functions.recorder.run, state.improver.run)
            ]
            yield state
        finally:
            for task in beside:
                task.cancel()
            await state.close()
            if beside:
                await asyncio.wait(beside)
                await functions.recorder.write()
                await watch.end()
            bulletin.close()


async def _open_store(settings: Settings, counters: int | None) -> Store:
    longest = max(settings.timeout_max, settings.max_exec_ms / 1000) + _LONGEST_REST
    store = await open_store(settings.rate_store, counters, lease=longest)
    if settings.rate_store != "memory" and counters is not None:
        os.close(counters)
    return store
