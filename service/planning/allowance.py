"""What the service as a whole may spend on models in a day, and how many new shapes one caller may buy.

Counted where keys' limits are (``service.limits``), so that fronts, and nodes with one Redis, share a count.
"""

from __future__ import annotations

from typing import Final

from service.access.meter import Meter
from service.access.principal import Principal
from service.errors import PlannerFailed, RateLimited
from service.limits.limiter import Admission, Limiter
from service.limits.rates import DAY, Rates, Window

SERVICE: Final = "llm"  # whose usage of tokens is that of all callers together
_SHAPES: Final = "shapes of "


class Allowance:
    """``day_tokens``: None for any number."""

    def __init__(self, limiter: Limiter, meter: Meter, day_tokens: int | None, day_shapes: int) -> None:
        self._limiter = limiter
        self._meter = meter
        self._service = Principal(SERVICE, frozenset(), Rates(tokens=day_tokens))
        self._shapes = Rates((Window(day_shapes, DAY, f"{day_shapes}/day"),))
        self._day_tokens = day_tokens
        self._day_shapes = day_shapes

    async def open(self) -> Admission | None:
        """Room in the day's tokens, to be charged with what was used. None: there is no limit. PlannerFailed
        when they are used up, LimitsUnavailable."""
        if self._day_tokens is None:
            return None
        admission = await self._limiter.admit(self._service, runs=False)
        try:
            if admission is not None:
                admission.need_tokens()
        except RateLimited as error:
            detail = f"the service has used the {self._day_tokens} tokens that it has for a day"
            raise PlannerFailed(
                "llm_day_budget", f"{detail} (LARS_LLM_DAY_TOKENS)", retry_after=error.retry_after
            ) from None
        return admission

    async def spend(self, day: Admission | None, tokens: int) -> None:
        """What ``open`` has let in has cost so much. It is written down as the usage of SERVICE too."""
        if tokens:
            self._meter.add_tokens(SERVICE, tokens)
        if day is not None:
            await day.charge(tokens=tokens)

    async def new_shape(self, principal: str) -> None:
        """Count one more for this caller. RateLimited when it has had enough, LimitsUnavailable."""
        owner = Principal(f"{_SHAPES}{principal}", frozenset(), self._shapes)
        try:
            await self._limiter.admit(owner, runs=False)
        except RateLimited as error:
            wait = error.retry_after if self._day_shapes else DAY
            raise RateLimited("shapes", self._day_shapes, DAY, wait, {}) from None
