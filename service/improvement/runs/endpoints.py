"""Runs over HTTP: begin one, look at it, follow it, decide: parse, one call, response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio.to_thread
import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.access.passage import actor_of
from service.http.body import has_body, read_json_text
from service.http.paging import read_page
from service.improvement.runs.events import MEDIA_TYPE
from service.improvement.runs.request import Usual, parse_order, parse_verdict
from service.improvement.runs.store import MAX_LIST
from service.improvement.runs.values import KeptStep, Run
from service.improvement.runs.view import run_view, whole_view
from service.planning.asker import asker_of
from service.state import state_of

_MAX_BODY = 16 * 1024
_PAGE = 20


async def auto_enhance(request: Request) -> Response:
    """POST /self-improve/auto-enhance: 202, and the run goes on by itself."""
    state = state_of(request)
    settings = state.settings
    order = parse_order(await _body(request), Usual(settings.improve_candidates, settings.improve_tokens))
    if order.target is not None:
        await state.control.functions.get(*order.target)
    asker = asker_of(request, state.passage.meter)
    run = await state.improver.start(order, actor_of(request), asker)
    place = f"/self-improve/runs/{run.id}"
    return _json({**run_view(run), "url": place, "events": f"{place}/events"}, 202, {"Location": place})


async def list_runs(request: Request) -> Response:
    """GET /self-improve/runs: the newest first."""
    limit, after = read_page(request.query_params, _PAGE, MAX_LIST)
    runs = await state_of(request).control.runs.list(limit, after)
    following = runs[-1].id if len(runs) == limit else None
    return _json({"runs": [run_view(run) for run in runs], "next": following})


async def show_run(request: Request) -> Response:
    """GET /self-improve/runs/RUN."""
    store, name = state_of(request).control.runs, request.path_params["run"]
    run, steps = await store.get(name), await store.steps(name)
    text = await anyio.to_thread.run_sync(_whole, run, steps)  # megabytes, where candidates are long
    return Response(text, media_type="application/json")


async def follow_run(request: Request) -> Response:
    """GET /self-improve/runs/RUN/events."""
    state = state_of(request)
    run = await state.control.runs.get(request.path_params["run"])
    if request.method == "HEAD":
        return Response(media_type=MEDIA_TYPE)
    return state.streams.open(state.control.runs, run.id, _last_event(request))


async def approve_run(request: Request) -> Response:
    """POST /self-improve/runs/RUN/approve."""
    verdict = parse_verdict(await _body(request))
    state = state_of(request)
    store = state.control.runs
    run = await store.get(request.path_params["run"])
    run = await store.decide(run, actor_of(request), approved=verdict.approved, note=verdict.note)
    await state.improver.look_now()
    return _json(run_view(run))


def _whole(run: Run, steps: Sequence[KeptStep]) -> bytes:
    return orjson.dumps(whole_view(run, steps))


def _last_event(request: Request) -> int:
    text = request.headers.get("last-event-id", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0


async def _body(request: Request) -> dict[str, Any]:
    if not has_body(request):
        return {}
    return (await read_json_text(request, _MAX_BODY))[1]


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")
