"""The catch-all endpoint: every path that no other service owns is a resource of the caller's session."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from sandbox_runtime.domain import Session
from service.errors import NotFound
from service.http.body import read_body
from service.http.record import record_of
from service.planning.asker import asker_of
from service.rest.answer import Answered, respond
from service.rest.call import call_for
from service.rest.context import Parts, RequestContext
from service.rest.identity import session_of
from service.rest.lookup import Asked, Found
from service.rest.plan_cache import Admitted
from service.state import ServiceState, state_of

# What a web page may read of an answer.
EXPOSED = (
    *("Deprecation", "ETag", "Link", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy"),
    *("Retry-After", "Server-Timing", "Sunset", "WWW-Authenticate", "Warning"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    *("Idempotency-Replayed", "X-Function-Version", "X-Plan-Id", "X-Plan-Source", "X-Request-ID"),
    "X-Total-Count",
)

_TIME_TO_RUN = 1.0  # seconds that a plan keeps, whoever has yet to write it; at most a quarter of all


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
    deadline = asked.began + state.settings.max_exec_ms / 1000
    found = await _plan(request, state, asked.context, deadline)
    admitted = found.admitted
    planned = time.monotonic()
    call = call_for(admitted, asked.context, asked.body, request.headers.get("idempotency-key"))
    record = record_of(request.scope)
    text, reply = await state.sessions.call(asked.session, call, deadline, record.spent)
    admitted.ran(asked.session.principal, reply.run)
    record.run_ms = reply.run * 1000
    await _hold_back(admitted, asked.context, deadline)
    timing = f"plan;dur={(planned - asked.began) * 1000:.2f}, run;dur={reply.run * 1000:.2f}"
    return respond(request, Answered(admitted, found.source, text, reply, timing, found.warning))


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


async def _plan(request: Request, state: ServiceState, context: RequestContext, deadline: float) -> Found:
    """Waits for a model for as long as the plan could still run in time."""
    until = deadline - min(_TIME_TO_RUN, state.settings.max_exec_ms / 4000)
    return await state.lookup.find(Asked(context, partial(asker_of, request, state.passage.meter), until))


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
