"""Loading, unloading, uploading and listing functions: parse, one call, response."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.access.passage import actor_of
from service.errors import BadRequest
from service.functions.figures import Tally, VersionKey, tally_view
from service.functions.load_request import LoadRequest, parse_load
from service.functions.loading import Order, load
from service.functions.registry_work import Which
from service.functions.uploading import Put, put_module
from service.functions.values import Function
from service.functions.view import View, function_view
from service.http.body import read_body, read_json_text
from service.http.paging import read_page
from service.http.record import record_of
from service.state import ServiceState, state_of

MAX_REQUEST = 16 * 1024
_PAGE = 1000
_ROOM = 4 << 20  # bytes of a page
_SLICE = 50  # functions: a millisecond
_STATS = "stats"
Figures = dict[tuple[str, str], dict[int, View]]


async def load_function(request: Request) -> Response:
    """POST /load-function."""
    _, body = await read_json_text(request, MAX_REQUEST)
    return _json(await load_wanted(request, parse_load(body, request.app.state.names)))


async def load_wanted(request: Request, wanted: LoadRequest) -> View:
    """Load it; what is answered. Errors as ``loading.load``."""
    state = state_of(request)
    order = Order(wanted, actor_of(request), _if_match(request))
    loaded = await load(state.functions, state.control, order, record_of(request.scope).spent)
    await state.changed()
    spec = loaded.function.spec
    return {
        "success": True,
        "message": f"{spec.name} is served at {' and '.join(spec.methods)} {spec.path}",
        "loaded_version": loaded.version,
        "created": loaded.created,
        "function": function_view(loaded.function),
    }


async def unload_function(request: Request) -> Response:
    """DELETE /unload-function/HASH/NAME."""
    return _json(await unload_named(request))


async def unload_named(request: Request, which: Which = "any") -> View:
    """Unload what the path names; what is answered. NotFound, ControlUnavailable."""
    state = state_of(request)
    contract, name = request.path_params["contract"], request.path_params["name"]
    gone = await state.control.functions.unload(contract, name, actor_of(request), which)
    await state.changed()
    await state.functions.recorder.forget(gone)
    return {
        "success": True,
        "message": f"{gone.spec.name} is not served any more; its versions are kept",
        "function": function_view(gone),
    }


async def list_functions(request: Request) -> Response:
    """GET /list-functions. Figures, where they are asked for, lack other fronts' last second."""
    state = state_of(request)
    limit, after = read_page(request.query_params, _PAGE, _PAGE, (_STATS,))
    functions = state.functions.table.all()
    page = page_of(functions, limit, after)
    figures = await _figures(state, page) if _wants_stats(request) else None
    shown = await _shown(page, figures)
    last = page[len(shown) - 1] if shown else None
    following = None if last is None or last is functions[-1] else name_of(last)
    return _json({"functions": shown, "count": len(shown), "next": following})


def _wants_stats(request: Request) -> bool:
    wanted = request.query_params.get(_STATS, "false")
    if wanted not in ("true", "false"):
        raise BadRequest(f"stats is {wanted[:40]!r}, expected true or false")
    return wanted == "true"


async def _figures(state: ServiceState, page: Sequence[Function]) -> Figures:
    figures: Figures = {}
    for key, tally in (await figures_of(state, page)).items():
        figures.setdefault((key.hash, key.name), {})[key.version] = tally_view(tally)
    return figures


async def figures_of(state: ServiceState, functions: Iterable[Function]) -> dict[VersionKey, Tally]:
    """Of every version of these that was called; of other fronts without the last second.
    ControlUnavailable."""
    control, meter = state.control, state.functions.meter
    await meter.write(control.figures)  # so that a caller finds their own calls
    return await control.figures.of_many(map(_sorted_by, functions))


async def _shown(page: Sequence[Function], figures: Figures | None) -> list[orjson.Fragment]:
    """As many of the page as an answer has room for, at least one; other requests are served in between."""
    shown: list[orjson.Fragment] = []
    room = _ROOM
    for function in page:
        versions = None if figures is None else figures.get(_sorted_by(function), {})
        text = orjson.dumps(function_view(function, versions))
        room -= len(text)
        if room < 0 and shown:
            break
        shown.append(orjson.Fragment(text))
        if len(shown) % _SLICE == 0:
            await asyncio.sleep(0)
    return shown


async def upload(request: Request) -> Response:
    """PUT /uploads/HASH/MODULE.py."""
    state = state_of(request)
    contract, file = request.path_params["contract"], request.path_params["file"]
    data = await read_body(request, state.settings.max_code_bytes, "LARS_MAX_CODE_BYTES")
    put = await put_module(state.functions, state.control, Put(contract, file, data), actor_of(request))
    return _json(asdict(put), 201 if put.created else 200)


def page_of(functions: Sequence[Function], limit: int, after: str | None) -> Sequence[Function]:
    """Of functions by hash and name those behind ``after``, at most ``limit``."""
    begin = 0 if after is None else bisect_right(functions, tuple(after.split("/", 1)), key=_sorted_by)
    return functions[begin : begin + limit]


def name_of(function: Function) -> str:
    """What comes after it in a list, asks for what is behind this."""
    return f"{function.spec.hash}/{function.spec.name}"


def _sorted_by(function: Function) -> tuple[str, str]:
    return function.spec.hash, function.spec.name


def _if_match(request: Request) -> str | None:
    given = request.headers.get("if-match")
    return None if given is None else given.strip().strip('"')


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
