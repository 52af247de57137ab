"""The endpoint: parse, one call, response."""

from __future__ import annotations

from dataclasses import replace

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox_runtime.domain import OneShot
from service.access.passage import principal_of
from service.execution.request import edge, parse_execute
from service.execution.response import refusal_of, render
from service.http.body import read_json_text
from service.http.disconnect import DisconnectWatch
from service.http.record import record_of
from service.pool.job import Outcome
from service.pool.shares import payer_of
from service.state import state_of


async def execute(request: Request) -> Response:
    """POST /execute."""
    began = edge()
    state = state_of(request)
    principal = principal_of(request)
    payer = payer_of(principal.name)
    state.pool.refuse_if_full(payer)  # before the body is read, so that a refusal costs little
    raw, body = await read_json_text(request, state.settings.max_body_bytes)
    job = parse_execute(body, raw, state.settings_for(principal), began)
    job = replace(job, principal=payer, spent=record_of(request.scope).spent)
    async with DisconnectWatch(request.receive):
        outcome = await state.pool.run(job)
    _record(request, outcome)
    refusal = refusal_of(outcome)
    if refusal is not None:
        raise refusal
    return Response(orjson.dumps(render(job.program, outcome)), media_type="application/json")


def _record(request: Request, outcome: Outcome) -> None:
    record = record_of(request.scope)
    record.domain = OneShot.kind
    record.verdict = outcome.verdict
    record.queue_ms = outcome.timing.queue * 1000
    record.bind_ms = outcome.timing.bind * 1000
    record.run_ms = outcome.timing.run * 1000
