"""Analyze and identify: what the functions did, and which of them is to be rewritten."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import Conflict
from service.functions.figures import Tally, VersionKey, tally_view
from service.functions.values import Function
from service.improvement.cycle.logbook import Logbook
from service.improvement.cycle.ranking import Ranked, Seen, rank, seen_view
from service.improvement.cycle.workshop import Workshop
from service.improvement.runs.store import MAX_LIST
from service.improvement.runs.values import Name, Run
from service.improvement.trial.samples import choose
from service.improvement.trial.values import Samples

_SHOWN = 20
_LOOKED_AT = 10  # functions whose recorded calls are looked at
_IN_VAIN = ("refused", "rolled_back")
_ASKED_FOR = "it was asked for; nobody has called it"
_NOBODY = (
    "no function has recorded calls and figures; switch recording on "
    "(PUT /self-improve/recording/HASH/NAME), and have it called"
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be rewritten, why, and the calls to compare with."""

    ranked: Ranked
    samples: Samples


class Targeting:
    """For one run."""

    def __init__(self, workshop: Workshop, logbook: Logbook) -> None:
        self._workshop = workshop
        self._logbook = logbook

    async def go(self) -> Target | None:
        """None when there is nothing to rewrite, or not enough to compare with; the run says so then."""
        seen = await self._analyze()
        return await self._identify(seen)

    async def _analyze(self) -> list[Seen]:
        functions, control = self._functions(), self._workshop.control
        await self._workshop.functions.meter.write(control.figures)  # other fronts' lack their last second
        figures = await control.figures.of_many(
            (function.spec.hash, function.spec.name) for function in functions
        )
        seen = [Seen(function, figures.get(_key(function), Tally())) for function in functions]
        busiest = sorted(seen, key=lambda each: each.tally.calls, reverse=True)[:_SHOWN]
        summary = {"loaded": len(self._workshop.functions.table), "looked_at": len(seen)}
        await self._logbook.step(
            "analyze", "ok", summary, {"functions": [seen_view(each) for each in busiest]}
        )
        return seen

    def _functions(self) -> list[Function]:
        """The one that is asked for, or all whose calls are recorded."""
        wanted = self._logbook.run.order.target
        table = self._workshop.functions.table
        if wanted is None:
            return [function for function in table.all() if function.recording is not None]
        found = table.named(*wanted)
        return [] if found is None else [found]

    async def _identify(self, seen: list[Seen]) -> Target | None:
        order = self._logbook.run.order
        ranked = rank(seen, order.goal)
        if order.target is not None and not ranked:
            ranked = [Ranked(each.function, order.goal or "latency", 0.0, _ASKED_FOR) for each in seen]
        tried = await self._tried() if order.target is None else {}
        passed: list[dict[str, object]] = []
        for each in ranked[:_LOOKED_AT]:
            target = await self._usable(each, tried, passed)
            if target is not None and await self._claimed(target, ranked, passed):
                return target
        reason = str(passed[0]["why"]) if passed else _NOBODY
        await self._logbook.step(
            "identify", "none", {"reason": reason}, {"passed": passed}, status="nothing_to_do", reason=reason
        )
        return None

    async def _tried(self) -> dict[Name, Run]:
        """The last run of each function, of the last ones that were."""
        runs = await self._workshop.control.runs.list(MAX_LIST)
        return {run.target: run for run in reversed(runs) if run.target and run.id != self._logbook.run.id}

    async def _usable(
        self, ranked: Ranked, tried: Mapping[Name, Run], passed: list[dict[str, object]]
    ) -> Target | None:
        """Unless it is improved already, was in vain, has a canary, or too few calls."""
        function, least = ranked.function, self._workshop.terms.least_calls
        spec = function.spec
        samples = await self._samples(function)
        count = len(samples.shown) + len(samples.held_back)
        last = tried.get((spec.hash, spec.name))
        if last is not None and (
            last.is_active or (last.status in _IN_VAIN and last.live == function.digest)
        ):
            why = f"the run {last.id} of this very version is {last.status}; name it as target to try again"
        elif function.canary is not None:
            why = f"version {function.canary.version} is its canary; end that first"
        elif count < least:
            why = (
                f"{count} recorded calls of different arguments, and {least} are needed "
                f"(LARS_IMPROVE_CALLS); PUT /self-improve/recording/{spec.hash}/{spec.name} has them recorded"
            )
        else:
            return Target(ranked, samples)
        passed.append({"visible_pixel_hash": spec.hash, "function_name": spec.name, "why": why})
        return None

    async def _samples(self, function: Function) -> Samples:
        recorder, spec = self._workshop.functions.recorder, function.spec
        await recorder.write()
        calls = await recorder.calls(spec.hash, spec.name, function.digest)
        return choose(calls, random.SystemRandom())

    async def _claimed(self, target: Target, ranked: list[Ranked], passed: list[dict[str, object]]) -> bool:
        """Whether it is this run's from now on."""
        function, why = target.ranked.function, target.ranked.reason
        spec, samples = function.spec, target.samples
        tallies = await self._workshop.control.figures.of(spec.hash, spec.name)
        summary = {
            "visible_pixel_hash": spec.hash,
            "function_name": spec.name,
            "version": function.version,
            "goal": target.ranked.goal,
            "reason": why,
            "calls": {"shown": len(samples.shown), "held_back": len(samples.held_back)},
        }
        more = {
            "ranked": [_ranked_view(each) for each in ranked[:_SHOWN]],
            "passed": passed,
            "versions": {str(number): tally_view(tallies[number]) for number in sorted(tallies)},
        }
        name = spec.hash, spec.name
        try:
            await self._logbook.step(
                "identify",
                "found",
                summary,
                more,
                target=name,
                goal=target.ranked.goal,
                reason=why,
                live=function.digest,
            )
        except Conflict as error:
            passed.append({"visible_pixel_hash": name[0], "function_name": name[1], "why": error.detail})
            return False
        return True


def _key(function: Function) -> VersionKey:
    return VersionKey(function.spec.hash, function.spec.name, function.version)


def _ranked_view(ranked: Ranked) -> dict[str, object]:
    spec = ranked.function.spec
    return {
        "visible_pixel_hash": spec.hash,
        "function_name": spec.name,
        "goal": ranked.goal,
        "score": round(ranked.score, 6),
        "reason": ranked.reason,
    }
