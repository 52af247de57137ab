"""What a front is like now, put into its column of the figures about once a second, for whichever front is
asked."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import anyio.to_thread

from service.state import ServiceState
from service.telemetry.catalog import (
    CONTRACTS_BOUND,
    FRONTS,
    FRONTS_READY,
    PLANS,
    SESSIONS_BOUND,
    WAITING,
    WORKERS,
)
from service.telemetry.process import ProcessFigures

_PAUSE: Final = 1.0  # seconds


class Publisher:
    """One front's. ``run`` until cancelled."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._process = ProcessFigures()

    async def run(self) -> None:
        """Again and again."""
        while True:
            publish(self._state)
            with suppress(OSError, RuntimeError):  # no descriptor, or no thread, for a moment
                await anyio.to_thread.run_sync(self._process.tell)
            await asyncio.sleep(_PAUSE)


def publish(state: ServiceState) -> None:
    """What the front holds, all but its process. Takes 10 microseconds."""
    sessions, contracts = state.sessions, state.functions.contracts
    turns = {"oneshot": 0, "session": sessions.waiting, "contract": contracts.waiting}
    pools = {"oneshot": state.pool, "session": sessions.workers, "contract": contracts.workers}
    for domain, pool in pools.items():
        figures = pool.figures()
        WORKERS.set(figures["starting"], domain, "starting")
        WORKERS.set(figures["idle"], domain, "idle")
        WORKERS.set(pool.held, domain, "busy")
        WAITING.set(figures["waiting"] + turns[domain], domain)
    SESSIONS_BOUND.set(len(sessions.bound()))
    CONTRACTS_BOUND.set(len(contracts.bound()))
    PLANS.set(len(state.plans))
    FRONTS.set(1.0)
    FRONTS_READY.set(float(state.pool.ready))
