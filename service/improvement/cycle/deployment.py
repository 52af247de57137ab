"""Deploy and monitor: a share of the calls for the candidate, then all of them, or none any more.

What others do to the function meanwhile wins: then the run is superseded, and changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from structlog.typing import FilteringBoundLogger

from service.access.principal import Actor
from service.errors import Conflict, ControlUnavailable, NotFound, PreconditionFailed
from service.functions.figures import Tally, tally_view
from service.functions.registry_work import Share
from service.functions.sources import Source
from service.functions.values import Function
from service.improvement.cycle.canary import Judged, judge
from service.improvement.cycle.logbook import Logbook
from service.improvement.cycle.workshop import Workshop
from service.improvement.runs.values import Chosen, Decision, Name, Watched

_LOOK: Final = 1.0  # seconds: figures are no younger
_PROMOTED: Final = "it was made the current version"
_log: FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the version before and the canary have done since it is the canary."""

    live: Tally
    canary: Tally


class Deployment:
    """For one run, which has a target and has chosen a candidate for it."""

    def __init__(self, workshop: Workshop, logbook: Logbook, target: Name, chosen: Chosen) -> None:
        self._workshop = workshop
        self._logbook = logbook
        self._target = target
        self._chosen = chosen
        self._by = Actor(logbook.run.by, "")

    async def deploy(self) -> None:
        """Make it the canary, unless it is. The run says what became of it."""
        try:
            function, version = await self._stage()
        except (Conflict, NotFound, PreconditionFailed) as error:
            await self._superseded(error.detail)
            return
        tallies = await self._workshop.control.figures.of(*self._target)
        live, canary = tallies.get(function.version, Tally()), tallies.get(version, Tally())
        percent = self._workshop.terms.percent
        await self._logbook.step(
            "deploy",
            "canary",
            {"candidate": self._chosen.number, "version": version, "weight": percent},
            status="monitoring",
            reason=f"version {version} has {percent} % of the calls",
            watched=Watched(version, time.time(), live, canary),
        )

    async def _stage(self) -> tuple[Function, int]:
        """The function, and the candidate's version."""
        registry, chosen = self._workshop.control.functions, self._chosen
        found = await registry.get(*self._target)
        source = Source(chosen.digest, chosen.text)
        # In the same transaction: a front that has lost the run must leave no canary behind.
        guard = self._workshop.control.runs.held(self._logbook.run)
        share = Share(self._workshop.terms.percent, chosen.live, alone=True, guard=guard)
        staged = await registry.stage(found.spec, source, chosen.signature, self._by, share)
        await self._workshop.changed()
        return staged.function, staged.version

    async def monitor(self, watched: Watched) -> None:
        """Until there is a reason to end it. RunLost when the run has ended otherwise."""
        while True:
            try:
                if await self._looked(watched):
                    return
            except ControlUnavailable as error:
                _log.warning("canary_not_seen", run=self._logbook.run.id, reason=error.reason)
            await asyncio.sleep(_LOOK)

    async def _looked(self, watched: Watched) -> bool:
        """Whether that was all."""
        run = await self._logbook.look()
        try:
            function = await self._workshop.control.functions.get(*self._target)
        except NotFound as error:
            await self._superseded(error.detail)
            return True
        if function.canary is None or function.canary.version != watched.version:
            await self._without_canary(function, watched, run.decision)
            return True
        seen = await self._seen(function, watched)
        judged = Judged(run.decision, run.reason) if run.decision is not None else self._judged(watched, seen)
        return judged.action != "wait" and await self._settled(watched, judged, seen)

    async def _without_canary(self, function: Function, watched: Watched, decision: Decision | None) -> None:
        """Others have ended it, or whoever worked on this run did and could not say so any more."""
        if function.version == watched.version:
            await self._over("promote", watched, _PROMOTED)
        elif function.canary is None and decision == "roll_back":
            await self._over("rollback", watched, self._logbook.run.reason)
        else:
            await self._superseded("its canary was ended, or another took its place")

    async def _seen(self, function: Function, watched: Watched) -> Seen:
        tallies = await self._workshop.control.figures.of(*self._target)
        return Seen(
            tallies.get(function.version, Tally()).since(watched.live),
            tallies.get(watched.version, Tally()).since(watched.canary),
        )

    def _judged(self, watched: Watched, seen: Seen) -> Judged:
        thresholds = self._workshop.terms.thresholds
        enough = sum(seen.live.runs.values()) >= thresholds.calls
        live = seen.live if enough else seen.live + watched.live  # with what it did before
        return judge(live, seen.canary, time.time() - watched.since, thresholds)

    async def _settled(self, watched: Watched, judged: Judged, seen: Seen) -> bool:
        """Whether it was done: not when a person has decided otherwise meanwhile."""
        promotes = judged.action == "promote"
        summary = {"reason": judged.why, "live": tally_view(seen.live), "canary": tally_view(seen.canary)}
        await self._logbook.step("monitor", judged.action, summary, reason=judged.why, decision=judged.action)
        if self._logbook.run.decision != judged.action:
            return False
        registry = self._workshop.control.functions
        try:
            await registry.settle(*self._target, self._by, watched.version, promote=promotes)
        except (Conflict, NotFound) as error:
            await self._superseded(error.detail)
            return True
        await self._workshop.changed()
        await self._over("promote" if promotes else "rollback", watched, judged.why)
        return True

    async def _over(self, stage: Literal["promote", "rollback"], watched: Watched, why: str) -> None:
        status = "promoted" if stage == "promote" else "rolled_back"
        summary = {"version": watched.version, "reason": why}
        await self._logbook.step(stage, "ok", summary, status=status, reason=why)

    async def _superseded(self, why: str) -> None:
        reason = f"the function was changed by others: {why}"
        await self._logbook.step("end", "superseded", {"reason": reason}, status="superseded", reason=reason)
