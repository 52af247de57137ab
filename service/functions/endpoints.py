"""Loading, unloading, uploading and listing functions: parse, one call, response."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.access.passage import actor_of
from service.errors import BadRequest
from service.functions.figures import tally_view
from service.functions.load_request import parse_load
from service.functions.loading import Order, load
from service.functions.uploading import Put, put_module
from service.functions.values import Function
from service.functions.view import View, function_view
from service.http.body import read_body, read_json_text
from service.http.paging import read_page
from service.http.record import record_of
from service.state import ServiceState, state_of

_MAX_REQUEST = 16 * 1024
_PAGE = 1000
_MAX_PAGE = 10_000
_STATS = "stats"


async def load_function(request: Request) -> Response:
    """POST /load-function."""
    state = state_of(request)
    _, body = await read_json_text(request, _MAX_REQUEST)
    wanted = parse_load(body, request.app.state.names)
    order = Order(wanted, actor_of(request), _if_match(request))
    loaded = await load(state.functions, state.control, order, record_of(request.scope).spent)
    await state.changed()
    return _json(
        {
            "success": True,
            "message": f"{loaded.function.spec.name} is served at "
            f"{loaded.function.spec.method} {loaded.function.spec.path}",
            "loaded_version": loaded.version,
            "created": loaded.created,
            "function": function_view(loaded.function),
        }
    )


async def unload_function(request: Request) -> Response:
    """DELETE /unload-function/HASH/NAME."""
    state = state_of(request)
    contract, name = request.path_params["contract"], request.path_params["name"]
    gone = await state.control.functions.unload(contract, name, actor_of(request))
    await state.changed()
    return _json(
        {
            "success": True,
            "message": f"{gone.spec.name} is not served any more; its versions are kept",
            "function": function_view(gone),
        }
    )


async def list_functions(request: Request) -> Response:
    """GET /list-functions. Figures, where they are asked for, lack other fronts' last second."""
    state = state_of(request)
    limit, after = read_page(request.query_params, _PAGE, _MAX_PAGE, (_STATS,))
    page = page_of(state.functions.table.all(), limit, after)
    if _wants_stats(request):
        shown = await _with_figures(state, page)
    else:
        shown = [function_view(function) for function in page]
    following = name_of(page[-1]) if len(page) == limit else None
    return _json({"functions": shown, "count": len(page), "next": following})


def _wants_stats(request: Request) -> bool:
    wanted = request.query_params.get(_STATS, "false")
    if wanted not in ("true", "false"):
        raise BadRequest(f"stats is {wanted[:40]!r}, expected true or false")
    return wanted == "true"


async def _with_figures(state: ServiceState, page: Sequence[Function]) -> list[View]:
    control, meter = state.control, state.functions.meter
    await meter.write(control.figures)  # so that a caller finds their own calls
    figures: dict[tuple[str, str], dict[int, View]] = {}
    for key, tally in (await control.figures.of_many(map(_sorted_by, page))).items():
        figures.setdefault((key.hash, key.name), {})[key.version] = tally_view(tally)
    return [function_view(function, figures.get(_sorted_by(function), {})) for function in page]


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
