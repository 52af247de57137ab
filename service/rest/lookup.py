"""Which plan answers a request: one that is kept, else one by rules, else a model's; or the model first.

    LARS_PLANNING=rules   kept ─► rules ─► (no rule) kept ─► model
    LARS_PLANNING=llm     kept ─► model, which must agree with the rules ─► (any failure) rules ─► as above

Names in a query buy nothing: a model is shown those alone that a rule would know for such a request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from service.errors import LarsError, PlannerRequired
from service.planning.asker import Asker
from service.rest.builtin import read_query
from service.rest.builtin.draft import notices, warning
from service.rest.builtin.query import Query
from service.rest.context import RequestContext
from service.rest.model.plans import ModelPlans, Wish
from service.rest.model.shapes import Versions, deep_shape
from service.rest.plan import NotExpressible, Plan, Planner
from service.rest.plan_cache import Admitted, PlanCache, Source
from service.rest.shape import Shape, shape_of
from service.telemetry.catalog import PLAN_HITS, PLAN_MISSES
from service.telemetry.spans import Span

T = TypeVar("T")
_MOST = 10_000  # shapes without a rule, and shapes that are left to the rules, of each so many are known
_HELD_SECONDS = 5.0  # when a model is of no help and the rules are


@dataclass(frozen=True, slots=True)
class Found:
    """A plan, and where it came from this time. ``warning``: a header for the answer, "" for none."""

    admitted: Admitted
    source: Source
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that needs a plan. ``asker``: for whom a model would be asked; ``until``: a
    ``time.monotonic()`` value up to which it may wait for one."""

    context: RequestContext
    asker: Callable[[], Asker]
    until: float


@dataclass(frozen=True, slots=True)
class Beyond:
    """What is known of a shape that no rule covers. ``query``: what of its parameters a model is shown, None
    when the request is not for a model."""

    missing: str
    detail: str
    query: tuple[tuple[str, bool], ...] | None
    warning: str


class Lookup:
    """One front's. ``versions``: of the rules and of a model's plans, which are parts of their keys."""

    def __init__(
        self,
        planner: Planner,
        plans: PlanCache,
        models: ModelPlans,
        versions: tuple[Versions, Versions],
        *,
        model_first: bool,
    ) -> None:
        self._planner = planner
        self._plans = plans
        self._models = models
        self._by_rules, self._by_model = versions
        self._model_first = model_first and models.expected
        self._beyond: OrderedDict[str, Beyond] = OrderedDict()
        self._left: OrderedDict[str, None] = OrderedDict()

    async def find(self, asked: Asked) -> Found:
        """PlannerRequired where there is no rule and no model; else as planners, judge and proof raise."""
        with Span("plan") as span:
            try:
                found = await self._find(asked)
            except LarsError:
                PLAN_MISSES.add("none")
                raise
            span.tell("lars.plan.source", found.source)
        if found.source == "cache":
            PLAN_HITS.add(found.admitted.kept.source)
        else:
            PLAN_MISSES.add(found.source)
        return found

    async def _find(self, asked: Asked) -> Found:
        shape = shape_of(asked.context, self._by_rules, self._planner.body_depth)
        if self._model_first:
            found = await self._from_model(shape, asked)
            if found is not None:
                return found
        return await self._from_rules(shape, asked)

    async def _from_rules(self, shape: Shape, asked: Asked) -> Found:
        key = shape.key()
        found = self._plans.found(key)
        if found is not None:
            return Found(found, "cache")
        beyond = self._beyond.get(key)
        if beyond is None:
            try:
                return Found(*await self._plans.compiled(key, shape, self._values(asked.context)))
            except NotExpressible as error:
                beyond = beyond_rules(shape, error)
                _remember(self._beyond, key, beyond)
        return await self._from_depth(beyond, asked)

    async def _from_depth(self, beyond: Beyond, asked: Asked) -> Found:
        if beyond.query is None or not self._models.expected:
            raise PlannerRequired(beyond.detail, missing=beyond.missing)
        shape = deep_shape(asked.context, self._by_model, beyond.query)
        wish = Wish(asked.asker, asked.until)
        return Found(*await self._models.plan_for(shape.key(), shape, wish), beyond.warning)

    async def _from_model(self, ruled: Shape, asked: Asked) -> Found | None:
        """None: the rules are asked."""
        shape = replace(ruled, versions=self._by_model)
        key = shape.key()
        found = self._plans.found(key)
        if found is not None:
            return Found(found, "cache")
        if key in self._left or self._models.is_held(key) or not self._models.stands:
            return None
        rival = await self._rival(ruled)
        if rival is None:
            _remember(self._left, key, None)
            return None
        try:
            return Found(*await self._models.plan_for(key, shape, Wish(asked.asker, asked.until, rival)))
        except LarsError as error:
            self._models.hold(key, error, _HELD_SECONDS)
            return None

    async def _rival(self, shape: Shape) -> Plan | None:
        """The rules' plan, where a model may be asked for another. What is wrong with the request itself is
        raised."""
        try:
            rival = await self._planner.make(shape)
        except NotExpressible:
            return None
        return rival if len(read_query(shape).controls) == len(shape.query) else None

    def _values(self, context: RequestContext) -> object:
        if not self._planner.sees_values:
            return None
        return [context.segments[1::2], context.query, context.body_json]


def beyond_rules(shape: Shape, error: NotExpressible) -> Beyond:
    """What is to be known of a shape for which the rules have raised this."""
    query: Query = read_query(shape)
    # A filter decides what a change is for: whoever leaves it out changes more.
    shown = None
    if not query.filters:
        shown = tuple(each for each in shape.query if each[0] in query.controls)
    said = notices(query)
    return Beyond(error.missing, str(error), shown, warning(said) if said else "")


def _remember(known: OrderedDict[str, T], key: str, what: T) -> None:
    known[key] = what
    if len(known) > _MOST:
        known.popitem(last=False)
