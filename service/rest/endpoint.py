"""The catch-all endpoint: every path that no other service owns is a resource of the caller's session."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sandbox_runtime.domain import Session
from service.errors import NotFound, PlannerRequired
from service.http.body import read_body
from service.http.record import record_of
from service.rest.answer import Answered, respond
from service.rest.call import call_for
from service.rest.context import Parts, RequestContext
from service.rest.identity import session_of
from service.rest.plan import NotExpressible
from service.rest.plan_cache import Admitted, Source
from service.rest.shape import shape_of
from service.state import ServiceState, state_of

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
# What a web page may read of an answer.
EXPOSED = (
    *("Deprecation", "ETag", "Link", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy"),
    *("Retry-After", "Server-Timing", "Sunset", "WWW-Authenticate", "Warning"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    *("Idempotency-Replayed", "X-Function-Version", "X-Plan-Id", "X-Plan-Source", "X-Request-ID"),
    "X-Total-Count",
)


@dataclass(frozen=True, slots=True)
class _Request:
    """What of a request every stage needs. ``began``: ``time.monotonic()`` of its arrival."""

    session: Session
    context: RequestContext
    body: bytes
    began: float


async def rest(request: Request) -> Response:
    """Any method on any path: parse, plan, run."""
    asked = await _parse(request)
    state = state_of(request)
    admitted, source = await _plan(state, asked.context)
    planned = time.monotonic()
    call = call_for(admitted, asked.context, asked.body, request.headers.get("idempotency-key"))
    deadline = asked.began + state.settings.max_exec_ms / 1000
    record = record_of(request.scope)
    text, reply = await state.sessions.call(asked.session, call, deadline, record.spent)
    admitted.ran(asked.session.principal, reply.run)
    record.run_ms = reply.run * 1000
    await _hold_back(admitted, asked.context, deadline)
    timing = f"plan;dur={(planned - asked.began) * 1000:.2f}, run;dur={reply.run * 1000:.2f}"
    return respond(request, Answered(admitted, source, text, reply, timing))


async def _parse(request: Request) -> _Request:
    began = time.monotonic()
    state = state_of(request)
    session = session_of(request, state.settings.default_session)
    record = record_of(request.scope)
    record.domain = session.kind
    options = await state.sessions.options.of(session)
    body = await read_body(request, state.settings.max_body_bytes)
    scope = request.scope
    parts = Parts(
        method=request.method,
        path=scope["raw_path"].partition(b"?")[0],
        query=scope["query_string"],
        headers=scope["headers"],
        body=body,
        ip=request.client.host if request.client else "",
        session=session.session_id,
        dialect=options.dialect,
    )
    return _Request(session, RequestContext.from_parts(parts), body, began)


async def _plan(state: ServiceState, context: RequestContext) -> tuple[Admitted, Source]:
    shape = shape_of(context, state.plan_versions, state.planner.body_depth)
    values = None
    if state.planner.sees_values:
        values = [context.segments[1::2], context.query, context.body_json]
    try:
        return await state.plans.plan_for(shape, values)
    except NotExpressible as error:
        raise PlannerRequired(str(error), missing=error.missing) from error


async def _hold_back(admitted: Admitted, context: RequestContext, deadline: float) -> None:
    """json-server's ``_delay``: where in ctx the milliseconds stand, the plan's hints say."""
    where = admitted.plan.response_hints.get("delay")
    if where is None:
        return
    value = context.query.get(str(where).removeprefix("query."), "")
    milliseconds = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 7 else 0
    await asyncio.sleep(min(milliseconds / 1000, max(0.0, deadline - time.monotonic())))


async def reserved(request: Request) -> Response:
    """Paths that are nobody's resource: below ``/_/`` and beside the other services' own."""
    raise NotFound(
        f"nothing is served at {request.url.path[:200]}; this name belongs to the service, use another"
    )
