"""/_/functions: one function, its versions, going back to one, and its canary."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.access.passage import actor_of
from service.errors import BadRequest, NotFound
from service.functions.figures import tally_view
from service.functions.load_request import parse_rollback, parse_split
from service.functions.names import read_hash
from service.functions.registry import MAX_LIST
from service.functions.registry_work import Which
from service.functions.view import View, function_view, version_view
from service.http.body import has_body, read_json_text
from service.http.paging import read_page
from service.state import state_of

_MAX_BODY = 16 * 1024
_PAGE = 100


async def function(request: Request) -> Response:
    """GET /_/functions/HASH/NAME, with the figures of its versions."""
    control = state_of(request).control
    found = await control.functions.get(*_name(request))
    figures = await control.figures.of(found.spec.hash, found.spec.name)
    return _json(function_view(found, {number: tally_view(figures[number]) for number in figures}))


async def versions(request: Request) -> Response:
    """GET /_/functions/HASH/NAME/versions: the newest first."""
    state = state_of(request)
    contract, name = _name(request)
    limit, below = read_page(request.query_params, _PAGE, MAX_LIST)
    found = await state.control.functions.versions(contract, name, _number(below), limit)
    served = state.functions.table.named(read_hash(contract) or "", name)
    return _json(
        {
            "versions": [version_view(version, served) for version in found],
            "next": str(found[-1].number) if len(found) == limit else None,
        }
    )


async def source(request: Request) -> Response:
    """GET /_/functions/HASH/NAME/versions/VERSION/source: the text of its module."""
    registry = state_of(request).control.functions
    number = _number(request.path_params["version"]) or 0
    found = await registry.versions(*_name(request), below=number + 1, limit=1)
    if not found or found[0].number != number:
        raise NotFound(f"there is no version {number}; see the versions there are")
    text = (await registry.source(found[0].digest)).text
    return Response(text.encode(), media_type="text/x-python; charset=utf-8")


async def rollback(request: Request) -> Response:
    """POST /_/functions/HASH/NAME/rollback."""
    return _json(await roll_back(request, "to"))


async def roll_back(request: Request, member: str, which: Which = "any") -> View:
    """Roll what the path names back to the version that this member of the body names, if there is one; what
    is answered. NotFound, Conflict, ValidationFailed, ControlUnavailable."""
    state = state_of(request)
    to = None
    if has_body(request):
        _, body = await read_json_text(request, _MAX_BODY)
        to = parse_rollback(body, member)
    changed = await state.control.functions.rollback(*_name(request), actor_of(request), to, which)
    await state.changed()
    return function_view(changed)


async def canary(request: Request) -> Response:
    """PUT and DELETE /_/functions/HASH/NAME/canary."""
    state = state_of(request)
    split = None
    if request.method == "PUT":
        _, body = await read_json_text(request, _MAX_BODY)
        split = parse_split(body)
    changed = await state.control.functions.set_canary(*_name(request), split, actor_of(request))
    await state.changed()
    return _json(function_view(changed))


def _name(request: Request) -> tuple[str, str]:
    return request.path_params["contract"], request.path_params["name"]


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 10):
        raise BadRequest(f"{text[:40]!r} is no number of a version; they count from 1")
    return int(text)


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
