"""Loading, unloading, rolling back and listing improvements: parse, what functions do, response."""

from __future__ import annotations

import time

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.access.scopes import Scope
from service.errors import NotFound
from service.functions.administration import roll_back
from service.functions.endpoints import MAX_REQUEST, figures_of, load_wanted, unload_named
from service.functions.load_request import parse_improvement
from service.http.body import read_json_text
from service.improvement.status import Standing, status_view
from service.state import state_of

_SHOWN = 100


async def load_improvement(request: Request) -> Response:
    """POST /self-improve/load."""
    _, body = await read_json_text(request, MAX_REQUEST)
    wanted = parse_improvement(body)
    answer = await load_wanted(request, wanted)
    spec = wanted.spec
    return _json({**answer, "improvement_type": spec.improvement, "endpoint_path": spec.path})


async def show_status(request: Request) -> Response:
    """GET /self-improve/status. Figures lack other fronts' last second."""
    state = state_of(request)
    improvements = [each for each in state.functions.table.all() if each.spec.improvement is not None]
    standing = Standing(
        enabled=state.passage.gate.keyring.has_key_for(Scope.FUNCTIONS_WRITE),
        capable=state.planning.configured,
        now=time.time(),
    )
    return _json(await status_view(improvements, await figures_of(state, improvements), standing))


async def unload_improvement(request: Request) -> Response:
    """DELETE /self-improve/unload/HASH/NAME."""
    return _json(await unload_named(request, "improvement"))


async def roll_back_improvement(request: Request) -> Response:
    """POST /self-improve/rollback/HASH/NAME."""
    return _json(await roll_back(request, "version", "improvement"))


async def not_improved(request: Request) -> Response:
    """GET and POST /improved/TYPE/NAME where none is loaded. NotFound."""
    kind, name = request.path_params["type"], request.path_params["name"]
    raise NotFound(
        f"no improvement {name[:_SHOWN]} of {kind[:_SHOWN]} is loaded; "
        "GET /self-improve/status has those that are"
    )


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
