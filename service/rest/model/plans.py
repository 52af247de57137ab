"""Plans that models write, each bought once: by one request, on one front, for all who come after."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from structlog.typing import FilteringBoundLogger

from service.errors import LarsError, PlannerFailed, PlanPending, RateLimited, kind_of
from service.planning.asker import Asker
from service.planning.planning import Planning
from service.rest.model.llm_planner import LlmPlanner
from service.rest.model.locks import PlanLocks
from service.rest.model.refusal_files import RefusalFiles
from service.rest.model.refusals import SECONDS, Refusals, again_after, is_of_the_reply
from service.rest.plan import Plan
from service.rest.plan_cache import Admitted, PlanCache, Source
from service.rest.plan_files import KeptPlan
from service.rest.shape import Shape
from service.sessions.storage import in_storage

_log: FilteringBoundLogger = structlog.get_logger("lars.planner")
_COUNTED = 10_000  # shapes of callers that are remembered as counted
_PENDING_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants a plan. ``asker``: made when a model is asked. ``until``: a ``time.monotonic()`` value, when
    the request will have waited enough. ``rival``: the built-in planner's plan, None where it has none."""

    asker: Callable[[], Asker]
    until: float
    rival: Plan | None = None


class ModelPlans:
    """One front's. ``plans``: where they are kept, beside those of rules; ``root``: the data root, which all
    fronts share."""

    def __init__(self, plans: PlanCache, planner: LlmPlanner, planning: Planning, root: Path) -> None:
        self._plans = plans
        self._planner = planner
        self._planning = planning
        self._locks = PlanLocks(root)
        self._files = RefusalFiles(root)
        self._refusals = Refusals()
        self._counted: OrderedDict[tuple[str, str], None] = OrderedDict()

    @property
    def expected(self) -> bool:
        """Whether the service has a model at all."""
        return self._planning.line.expected

    @property
    def stands(self) -> bool:
        """Whether there is a planner just now. One that is being started is waited for."""
        return self._planning.line.standing is not None

    async def plan_for(self, key: str, shape: Shape, wish: Wish) -> tuple[Admitted, Source]:
        """The plan of this shape, whose key it is. PlanPending when it is not there in time; PlanRefused;
        RateLimited; and as ``Planning.ask`` raises."""
        while True:
            found = self._plans.found(key)
            if found is not None:
                return found, "cache"
            self._check(key)
            own = not self._plans.is_making(key)
            try:
                async with asyncio.timeout(wish.until - time.monotonic()):
                    return await self._plans.made(key, partial(self._buy, key, shape, wish))
            except TimeoutError:
                raise PlanPending(retry_after=_PENDING_SECONDS) from None
            except (RateLimited, PlannerFailed) as error:
                if own or not _is_of_one_caller(error):
                    raise

    def is_held(self, key: str) -> bool:
        """Whether nobody is asked about this shape for the moment."""
        return self._refusals.of(key) is not None

    def hold(self, key: str, error: LarsError, seconds: float) -> None:
        """Ask nobody for so long, unless that is settled already."""
        if not self.is_held(key):
            self._refusals.note(key, error, seconds)

    def _check(self, key: str) -> None:
        refusal = self._refusals.of(key)
        if refusal is not None:
            raise refusal

    async def _buy(self, key: str, shape: Shape, wish: Wish) -> tuple[KeptPlan, Source]:
        self._planning.check_configured()
        asker, began = wish.asker(), time.monotonic()
        async with self._locks.held(key):
            kept = await self._plans.kept(key)  # another front may have bought it meanwhile
            if kept is not None:
                return kept, "cache"
            await self._check_others(key)
            await self._count(asker.principal, key)
            try:
                plan = await self._planner.make(shape, asker, wish.rival)
            except LarsError as error:
                raise await self._refused(key, error) from error
            model = next((f"{call.provider}/{call.model}" for call in reversed(asker.calls)), None)
            kept = KeptPlan.made_now(plan, "llm", time.monotonic() - began, model)
            await self._plans.keep(key, kept)
        _log.info("plan_admitted", plan=key, model=model, planning_ms=round(kept.seconds * 1000, 1))
        return kept, "llm"

    async def _count(self, principal: str, key: str) -> None:
        """A shape is new to a caller once, however often it fails."""
        if (principal, key) in self._counted:
            return
        await self._planning.allowance.new_shape(principal)
        self._counted[principal, key] = None
        if len(self._counted) > _COUNTED:
            self._counted.popitem(last=False)

    async def _check_others(self, key: str) -> None:
        """Raises what another front was told a moment ago."""
        found = await in_storage(self._files.load, key)
        if found is not None:
            error, left = found
            self._refusals.note(key, error, left)
            raise again_after(error, left)

    async def _refused(self, key: str, error: LarsError) -> LarsError:
        code, rule = kind_of(error).code, error.extra.get("rule")
        if not is_of_the_reply(error):
            _log.warning("plan_not_made", plan=key, reason=code)
            return error
        _log.warning("plan_refused", plan=key, reason=code, rule=rule)
        self._refusals.note(key, error, SECONDS)
        await in_storage(self._files.save, key, error, SECONDS)
        return again_after(error, SECONDS)


def _is_of_one_caller(error: LarsError) -> bool:
    """Whether another caller need not have the same trouble."""
    return isinstance(error, RateLimited) or (
        isinstance(error, PlannerFailed) and error.code == "llm_request_budget"
    )
