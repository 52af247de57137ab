"""/_/keys: make, list, show, rotate and revoke keys, and what each has used."""

from __future__ import annotations

import time
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.access.key_request import parse_key, parse_rotation
from service.access.key_text import NewKey
from service.access.passage import actor_of
from service.access.principal import Key
from service.control.key_view import key_view, usage_view
from service.control.key_view import principal_of as name_of
from service.control.keys import MAX_LIST
from service.control.usage import Figures
from service.http.body import has_body, read_json_text
from service.http.paging import read_page
from service.state import state_of

_MAX_BODY = 64 * 1024
_PAGE = 100


async def keys(request: Request) -> Response:
    """GET: a page of keys. POST: a new one, whose text is in this answer only."""
    state = state_of(request)
    control = state.control
    if request.method == "POST":
        _, body = await read_json_text(request, _MAX_BODY)
        key, new = await control.keys.add(parse_key(body, time.time()), actor_of(request))
        await state.changed()
        return _shown_once(key, new, 201)
    limit, after = read_page(request.query_params, _PAGE, MAX_LIST)
    page = await control.keys.list(after, limit)
    used = await control.usage.totals(name_of(key.id) for key in page)
    now = time.time()
    shown = [key_view(key, used.get(name_of(key.id), Figures()), now) for key in page]
    return _json({"keys": shown, "next": page[-1].id if len(page) == limit else None})


async def key(request: Request) -> Response:
    """GET: one key. DELETE: it is revoked, and stays listed."""
    state, key_id = state_of(request), _id(request)
    control = state.control
    if request.method == "DELETE":
        found = await control.keys.revoke(key_id, actor_of(request))
        await state.changed()
    else:
        found = await control.keys.get(key_id)
    used = await control.usage.totals([name_of(found.id)])
    return _json(key_view(found, used.get(name_of(found.id), Figures()), time.time()))


async def rotate(request: Request) -> Response:
    """A new secret for a key; the old one is taken for ``overlap`` more seconds."""
    body: dict[str, Any] = {}
    if has_body(request):
        _, body = await read_json_text(request, _MAX_BODY)
    overlap = parse_rotation(body, time.time())
    state = state_of(request)
    found, new = await state.control.keys.rotate(_id(request), overlap, actor_of(request))
    await state.changed()
    return _shown_once(found, new, 200)


async def usage(request: Request) -> Response:
    """What a key has used, by the UTC day."""
    control = state_of(request).control
    found = await control.keys.get(_id(request))
    return _json({"id": found.id, **usage_view(await control.usage.of(name_of(found.id)))})


def _shown_once(made: Key, new: NewKey, status: int) -> Response:
    body = {**key_view(made, Figures(), time.time()), "key": new.text}
    headers = {"Location": f"/_/keys/{made.id}", "Cache-Control": "no-store"}
    return Response(orjson.dumps(body), status, headers, "application/json")


def _id(request: Request) -> str:
    return str(request.path_params["key"])


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
