"""Which functions there are to rewrite: those that may be, the most needed first, with calls to compare with.

Only looks: nothing is written into a run.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio.to_thread

from service.errors import NotFound, StorageUnavailable
from service.functions.figures import Tally, VersionKey
from service.functions.values import Function
from service.improvement.cycle.ranking import Ranked, Seen, rank
from service.improvement.cycle.workshop import Workshop
from service.improvement.runs.values import Name, Order, Run
from service.improvement.trial.samples import choose
from service.improvement.trial.values import Samples

MAX_LOOKED_AT: Final = 100
"""Functions whose recorded calls are read for one search, 16 MiB of each at most."""
_IN_VAIN: Final = ("refused", "rolled_back")
_PAUSE: Final = 86_400.0  # seconds in which a function is not chosen again after a run that failed
_ASKED_FOR: Final = "it was asked for; nobody has called it"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be rewritten, why, and the calls to compare with."""

    ranked: Ranked
    samples: Samples


@dataclass(frozen=True, slots=True)
class Passed:
    """A function that is not rewritten, and why."""

    name: Name
    why: str


class Search:
    """For what ``order`` asks for. ``run``: the one that searches; "" for none. ``passed``: what was found
    that cannot be rewritten, in order."""

    def __init__(self, workshop: Workshop, order: Order, run: str = "") -> None:
        self.passed: list[Passed] = []
        self._workshop = workshop
        self._order = order
        self._run = run

    async def seen(self) -> list[Seen]:
        """The one that is asked for, or all whose calls are recorded."""
        functions, control = self._functions(), self._workshop.control
        await self._workshop.functions.meter.write(control.figures)  # other fronts' lack their last second
        figures = await control.figures.of_many(
            (function.spec.hash, function.spec.name) for function in functions
        )
        return [Seen(function, figures.get(_key(function), Tally())) for function in functions]

    async def ranked(self, seen: list[Seen]) -> list[Ranked]:
        """The best first. What is asked for is there although nobody has called it."""
        order = self._order
        ranked = await anyio.to_thread.run_sync(rank, seen, order.goal)
        if order.target is not None and not ranked:
            return [Ranked(each.function, order.goal or "latency", 0.0, _ASKED_FOR) for each in seen]
        return ranked

    async def targets(self, ranked: list[Ranked]) -> AsyncIterator[Target]:
        """Those that can be rewritten. StorageUnavailable for one that was asked for."""
        last = await self._workshop.control.runs.last_of_each(self._run) if self._order.target is None else {}
        looked_at = 0
        for each in ranked:
            why = await self._why_not(each.function, last)
            if why is None and looked_at < MAX_LOOKED_AT:
                looked_at += 1
                found = await self._sampled(each)
                if isinstance(found, Target):
                    yield found
                    continue
                why = found
            if why is not None:
                self.pass_over(each, why)

    def pass_over(self, ranked: Ranked, why: str) -> None:
        """It is not to be rewritten."""
        spec = ranked.function.spec
        self.passed.append(Passed((spec.hash, spec.name), why))

    def _functions(self) -> list[Function]:
        wanted = self._order.target
        table = self._workshop.functions.table
        if wanted is None:
            return [function for function in table.all() if function.recording is not None]
        found = table.named(*wanted)
        return [] if found is None else [found]

    async def _why_not(self, function: Function, last: dict[Name, str]) -> str | None:
        """It has a canary, is improved already, or was in vain."""
        if function.canary is not None:
            return f"version {function.canary.version} is its canary; end that first"
        run_id = last.get((function.spec.hash, function.spec.name))
        if run_id is None:
            return None
        try:
            run = await self._workshop.control.runs.get(run_id)
        except NotFound:  # forgotten meanwhile
            return None
        if is_spent(run, function, time.time()):
            return f"the run {run.id} of this very version is {run.status}; name it as target to try again"
        return None

    async def _sampled(self, ranked: Ranked) -> Target | str:
        """With its recorded calls; or why not."""
        spec, least = ranked.function.spec, self._workshop.terms.least_calls
        try:
            samples = await self._samples(ranked.function)
        except StorageUnavailable as error:
            if self._order.target is not None:
                raise
            return error.detail
        count = len(samples.shown) + len(samples.held_back)
        if count < least:
            return (
                f"{count} recorded calls of different arguments, and {least} are needed "
                f"(LARS_IMPROVE_CALLS); PUT /self-improve/recording/{spec.hash}/{spec.name} has them recorded"
            )
        return Target(ranked, samples)

    async def _samples(self, function: Function) -> Samples:
        recorder, spec = self._workshop.functions.recorder, function.spec
        await recorder.write()
        calls = await recorder.calls(spec.hash, spec.name, function.digest)
        return await anyio.to_thread.run_sync(partial(choose, calls, random.SystemRandom()))


async def is_promising(workshop: Workshop, order: Order) -> bool:
    """Whether a run would find anything to rewrite. ControlUnavailable."""
    search = Search(workshop, order)
    ranked = await search.ranked(await search.seen())
    async for _ in search.targets(ranked):
        return True
    return False


def is_spent(run: Run, function: Function, now: float) -> bool:
    """Whether its last run says that another one is of no use, for now at least. Pure."""
    if run.is_active:
        return True
    if run.live != function.digest:
        return False
    return run.status in _IN_VAIN or (run.status == "failed" and (run.ended or 0.0) > now - _PAUSE)


def _key(function: Function) -> VersionKey:
    return VersionKey(function.spec.hash, function.spec.name, function.version)
