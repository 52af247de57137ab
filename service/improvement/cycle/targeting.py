"""Analyze and identify: what the functions did, and which of them is to be rewritten."""

from __future__ import annotations

from service.errors import Conflict
from service.functions.figures import tally_view
from service.improvement.cycle.logbook import Logbook
from service.improvement.cycle.ranking import Ranked, Seen, seen_view
from service.improvement.cycle.searching import Passed, Search, Target
from service.improvement.cycle.workshop import Workshop

_SHOWN = 20
_NOBODY = (
    "no function has recorded calls and figures; switch recording on "
    "(PUT /self-improve/recording/HASH/NAME), and have it called"
)


class Targeting:
    """For one run."""

    def __init__(self, workshop: Workshop, logbook: Logbook) -> None:
        self._workshop = workshop
        self._logbook = logbook
        self._search = Search(workshop, logbook.run.order, logbook.run.id)

    async def go(self) -> Target | None:
        """None when there is nothing to rewrite, or not enough to compare with; the run says so then."""
        seen = await self._analyze()
        return await self._identify(seen)

    async def _analyze(self) -> list[Seen]:
        seen = await self._search.seen()
        busiest = sorted(seen, key=lambda each: each.tally.calls, reverse=True)[:_SHOWN]
        summary = {"loaded": len(self._workshop.functions.table), "looked_at": len(seen)}
        await self._logbook.step(
            "analyze", "ok", summary, {"functions": [seen_view(each) for each in busiest]}
        )
        return seen

    async def _identify(self, seen: list[Seen]) -> Target | None:
        ranked = await self._search.ranked(seen)
        async for target in self._search.targets(ranked):
            if await self._claimed(target, ranked):
                return target
        passed = self._search.passed
        reason = passed[0].why if passed else _NOBODY
        more = {"passed": self._passed()}
        await self._logbook.step(
            "identify", "none", {"reason": reason}, more, status="nothing_to_do", reason=reason
        )
        return None

    def _passed(self) -> list[dict[str, object]]:
        return [_passed_view(each) for each in self._search.passed[:_SHOWN]]

    async def _claimed(self, target: Target, ranked: list[Ranked]) -> bool:
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
            "passed": self._passed(),
            "versions": {str(number): tally_view(tallies[number]) for number in sorted(tallies)[-_SHOWN:]},
        }
        name, goal = (spec.hash, spec.name), target.ranked.goal
        try:
            await self._logbook.step(
                "identify", "found", summary, more, target=name, goal=goal, reason=why, live=function.digest
            )
        except Conflict as error:
            self._search.pass_over(target.ranked, error.detail)
            return False
        return True


def _passed_view(passed: Passed) -> dict[str, object]:
    contract, name = passed.name
    return {"visible_pixel_hash": contract, "function_name": name, "why": passed.why}


def _ranked_view(ranked: Ranked) -> dict[str, object]:
    spec = ranked.function.spec
    return {
        "visible_pixel_hash": spec.hash,
        "function_name": spec.name,
        "goal": ranked.goal,
        "score": round(ranked.score, 6),
        "reason": ranked.reason,
    }
