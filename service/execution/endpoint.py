"""The endpoint: parse, one call, response."""

from __future__ import annotations

from dataclasses import replace

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.access.passage import principal_of
from service.execution.request import edge, parse_execute
from service.execution.response import refusal_of, render
from service.execution.review import run_reviewed
from service.execution.running import run_for
from service.http.body import read_json_text
from service.http.disconnect import DisconnectWatch
from service.http.record import record_of
from service.pool.job import Job, Outcome
from service.pool.shares import payer_of
from service.state import state_of


async def execute(request: Request) -> Response:
    """POST /execute."""
    job = await _job(request)
    async with DisconnectWatch(request.receive):
        outcome, changed = await _run(request, job)
    refusal = refusal_of(outcome)
    if refusal is not None:
        raise refusal
    members = {**render(job.program, outcome), **changed}
    return Response(orjson.dumps(members), media_type="application/json")


async def _job(request: Request) -> Job:
    """What is asked for. Of the body only its text is kept: parsed, it may be twenty times as large."""
    began = edge()
    state = state_of(request)
    principal = principal_of(request)
    payer = payer_of(principal.name)
    state.pool.refuse_if_full(payer)  # before the body is read, so that a refusal costs little
    raw, body = await read_json_text(request, state.settings.max_body_bytes)
    job = parse_execute(body, raw, state.settings_for(principal), began)
    return replace(job, principal=payer, spent=record_of(request.scope).spent)


async def _run(request: Request, job: Job) -> tuple[Outcome, dict[str, object]]:
    """The outcome, and the reply's members that a review makes others."""
    if not job.program.validate:
        return await run_for(request, job), {}
    reviewed = await run_reviewed(request, job)
    changed = {"executed_code": reviewed.executed, "validation_result": reviewed.validation}
    return reviewed.outcome, dict(changed)
