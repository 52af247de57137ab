"""For whom a model is asked: whose tokens are used, and what all calls together have cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from sandbox_runtime.planning import ModelCall
from service.access.meter import Meter
from service.access.passage import admission_of, principal_of
from service.limits.limiter import Admission


@dataclass(slots=True)
class Asker:
    """``principal``: Principal.name. ``calls``: those that were made for it, in order. ``trace``: the W3C
    traceparent that the request came with, or "". ``budget``: tokens that all of its calls may use; None:
    LARS_LLM_REQUEST_TOKENS."""

    principal: str
    admission: Admission | None = None
    meter: Meter | None = None
    trace: str = ""
    budget: int | None = None
    calls: list[ModelCall] = field(default_factory=list)

    @property
    def left(self) -> int | None:
        """Tokens that its key may still use today; None: any number."""
        return None if self.admission is None else self.admission.tokens_left()

    @property
    def tokens(self) -> int:
        """That all of its calls have used."""
        return sum(call.tokens for call in self.calls)

    async def pay(self, calls: tuple[ModelCall, ...]) -> None:
        """At once, and not when the request is over: a plan may be made after that."""
        self.calls += calls
        await self.charge(sum(call.tokens for call in calls))

    async def charge(self, tokens: int) -> None:
        """So many were used for it, by whatever call."""
        if self.meter is not None and tokens:
            self.meter.add_tokens(self.principal, tokens)
        if self.admission is not None and tokens:
            await self.admission.charge(tokens=tokens)


def asker_of(request: Request, meter: Meter) -> Asker:
    """Whoever sent this request."""
    principal = principal_of(request)
    trace = request.headers.get("traceparent", "")
    return Asker(principal.name, admission_of(request), meter if principal.keyed else None, trace)
