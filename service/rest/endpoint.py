"""The catch-all endpoint: every path that no other service owns is a resource of the caller's session."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from sandbox_runtime.call import Call
from sandbox_runtime.domain import Session
from service.errors import NotFound
from service.http.body import on_body, read_body
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


@dataclass(frozen=True, slots=True)
class _Ready:
    """A request with its plan. ``deadline``: a ``time.monotonic()`` value; ``planning`` and ``pause``:
    seconds that the plan has taken, and that the answer is to be held back."""

    session: Session
    found: Found
    call: Call
    deadline: float
    planning: float
    pause: float


async def rest(request: Request) -> Response:
    """Any method on any path: parse, plan, run."""
    ready = await _prepare(request)
    admitted, record = ready.found.admitted, record_of(request.scope)
    sessions = state_of(request).sessions
    text, reply = await sessions.call(ready.session, ready.call, ready.deadline, record.spent)
    admitted.ran(ready.session.principal, reply.run)
    record.run_ms = reply.run * 1000
    if ready.pause:
        await asyncio.sleep(min(ready.pause, max(0.0, ready.deadline - time.monotonic())))
    timing = f"plan;dur={ready.planning * 1000:.2f}, run;dur={reply.run * 1000:.2f}"
    answered = Answered(admitted, ready.found.source, text, reply, timing, ready.found.warning)
    return respond(request, answered)


async def _prepare(request: Request) -> _Ready:
    """Of the body only its text is kept: parsed, it may be twenty times as large."""
    asked = await _parse(request)
    state = state_of(request)
    deadline = asked.began + state.settings.max_exec_ms / 1000
    found = await _plan(request, state, asked.context, deadline)
    planning = time.monotonic() - asked.began
    call = call_for(found.admitted, asked.context, asked.body, request.headers.get("idempotency-key"))
    return _Ready(asked.session, found, call, deadline, planning, _pause(found.admitted, asked.context))


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
    context = await on_body(request, len(body), partial(RequestContext.from_parts, parts))
    return _Request(session, context, body, began)


async def _plan(request: Request, state: ServiceState, context: RequestContext, deadline: float) -> Found:
    """Waits for a model for as long as the plan could still run in time."""
    until = deadline - min(_TIME_TO_RUN, state.settings.max_exec_ms / 4000)
    return await state.lookup.find(Asked(context, partial(asker_of, request, state.passage.meter), until))


def _pause(admitted: Admitted, context: RequestContext) -> float:
    """Seconds, of json-server's ``_delay``: where in ctx the milliseconds stand, the plan's hints say."""
    where = admitted.plan.response_hints.get("delay")
    if where is None:
        return 0.0
    value = context.query.get(str(where).removeprefix("query."), "")
    return int(value) / 1000 if isinstance(value, str) and value.isdecimal() and len(value) < 7 else 0.0


async def reserved(request: Request) -> Response:
    """Paths that are nobody's resource: below ``/_/`` and beside the other services' own."""
    raise NotFound(
        f"nothing is served at {request.url.path[:200]}; this name belongs to the service, use another"
    )
