"""The run that one front works on: as it is now, and every step of it written down."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.improvement.runs.store import RunStore
from service.improvement.runs.values import Run, Stage, Step
from service.planning.asker import Asker

Facts = Mapping[str, object]


class Logbook:
    """``run``: what is known of it. ``asker``: whose tokens it uses."""

    def __init__(self, store: RunStore, run: Run, asker: Asker) -> None:
        self.run = run
        self.asker = asker
        self._store = store
        self._began = time.monotonic()
        self._tokens, self._cost = run.tokens, run.cost

    async def step(
        self, stage: Stage, outcome: str, summary: Facts, more: Facts | None = None, **changes: Any
    ) -> None:
        """Keep one step, which began when the last one was over, and what of the run it ``changes``.
        ``summary``: evidence that the audit log has, too; ``more``: what only the run's record has. RunLost;
        Conflict when the target that it sets is being improved already; ControlUnavailable."""
        seconds = time.monotonic() - self._began
        step = Step(stage, outcome, {**summary, **(more or {})}, summary, seconds)
        costs = [call.cost for call in self.asker.calls]
        known = [cost for cost in (self._cost, *costs) if cost is not None]
        run = replace(
            self.run,
            tokens=self._tokens + self.asker.tokens,
            cost=sum(known) if len(known) > len(costs) else None,
            **changes,
        )
        self.run = await self._store.record(run, step)
        self._began = time.monotonic()

    async def look(self) -> Run:
        """The run as it is kept: somebody may have decided."""
        kept = await self._store.get(self.run.id)
        self.run = replace(self.run, decision=kept.decision, reason=kept.reason)
        return self.run
