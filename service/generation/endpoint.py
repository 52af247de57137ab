"""The endpoint: parse, have a program written, run it, response."""

from __future__ import annotations

from dataclasses import replace

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox_runtime.planning import Repair
from service.access.passage import principal_of
from service.errors import PolicyRefused
from service.execution.request import edge, running
from service.execution.response import refusal_of
from service.execution.running import run_for
from service.generation.draft import Draft, draft_of
from service.generation.request import Wanted, parse_generate
from service.generation.response import render_generated
from service.generation.rounds import Attempt, Rounds
from service.http.body import read_json_text
from service.http.disconnect import DisconnectWatch
from service.http.record import record_of
from service.planning.asker import Asker, asker_of
from service.planning.conversation import Conversation
from service.pool.job import Outcome
from service.pool.shares import payer_of
from service.state import state_of


async def generate_and_execute(request: Request) -> Response:
    """POST /generate-and-execute."""
    wanted = await _wanted(request)
    record = record_of(request.scope)
    asker = asker_of(request, state_of(request).passage.meter)
    try:
        async with DisconnectWatch(request.receive):
            attempt = await _attempt(request, wanted, asker)
    finally:
        record.tokens = asker.tokens
    program = replace(wanted.job.program, code=attempt.draft.code)
    members = render_generated(wanted.query, program, attempt, asker.calls)
    return Response(orjson.dumps(members), media_type="application/json")


async def _wanted(request: Request) -> Wanted:
    """What is asked for. Of the body only its text is kept: parsed, it may be twenty times as large."""
    began = edge()
    state = state_of(request)
    state.planning.check_configured()
    principal = principal_of(request)
    payer = payer_of(principal.name)
    state.pool.refuse_if_full(payer)  # before the body is read, and long before a model is paid
    raw, body = await read_json_text(request, state.settings.max_body_bytes)
    wanted = parse_generate(body, raw, state.settings_for(principal), began)
    return replace(wanted, job=replace(wanted.job, principal=payer, spent=record_of(request.scope).spent))


async def _attempt(request: Request, wanted: Wanted, asker: Asker) -> Attempt:
    state = state_of(request)
    conversation = Conversation(state.planning, asker, "generate", wanted.given, state.settings.llm_timeout)

    async def write(repair: Repair | None) -> Draft:
        return draft_of(await conversation.ask(repair))

    async def run(code: str) -> Outcome:
        outcome = await run_for(request, running(wanted.job, code))
        refusal = refusal_of(outcome)
        if refusal is not None and not isinstance(refusal, PolicyRefused):
            raise refusal  # of the caller's data, which no other program would change
        return outcome

    return await Rounds(write, run, wanted.max_repairs).go()
