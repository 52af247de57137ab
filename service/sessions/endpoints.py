"""/_/sessions/{session}: what the caller's session holds; delete, fork, export, import."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import asdict
from functools import partial
from typing import Any

import anyio.to_thread
import orjson
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sandbox_runtime.domain import Session
from service.errors import BadRequest, NotFound, UnsupportedMediaType
from service.http.body import has_body, read_json_text
from service.http.routing import OwnedRoute
from service.http.spool import Spool, in_spool
from service.rest.identity import named_session, session_of
from service.rest.openapi import session_openapi
from service.sessions.administration import Administration
from service.sessions.options import SessionOptions
from service.state import state_of

_TAR = "application/x-tar"
_FORMATS = {_TAR: "tar", "application/json": "json"}
_CHUNK = 1 << 18


def _addressed(request: Request) -> tuple[Administration, Session]:
    state = state_of(request)
    addressed = named_session(request, str(request.path_params["session"]))
    return Administration(state.sessions, state.settings), addressed


async def session(request: Request) -> Response:
    """GET: what it holds. PATCH: its options. DELETE: all of it goes."""
    administration, addressed = _addressed(request)
    if request.method == "PATCH":
        _, body = await read_json_text(request, state_of(request).settings.max_body_bytes)
        options = SessionOptions.from_json(body)
        await administration.configure(addressed, options)
        return _json({"id": addressed.session_id, **asdict(options)})
    if request.method == "DELETE":
        await administration.delete(addressed)
        return Response(status_code=204)
    return _json(await administration.describe(addressed))


async def fork(request: Request) -> Response:
    """A copy of the data under a new id: ``id`` of the body, or one made here."""
    administration, addressed = _addressed(request)
    new = named_session(request, await _new_id(request))
    body = {"id": new.session_id, **await administration.fork(addressed, new)}
    return _json(body, 201, {"Location": f"/_/sessions/{new.session_id}"})


async def _new_id(request: Request) -> str:
    if not has_body(request):
        return secrets.token_urlsafe(24)
    _, body = await read_json_text(request, state_of(request).settings.max_body_bytes)
    wanted = body.get("id", secrets.token_urlsafe(24))
    if not isinstance(wanted, str) or set(body) - {"id"}:
        raise BadRequest('the body is not {"id": "..."} with the new session\'s id; send that or no body')
    return wanted


async def export(request: Request) -> Response:
    """The session as a tar archive."""
    administration, addressed = _addressed(request)
    spool = await in_spool(Spool)
    try:
        await administration.export(addressed, spool)
        size = await in_spool(spool.rewind)
    except BaseException:
        spool.close()
        raise
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{addressed.session_id}.tar"',
    }
    return StreamingResponse(_chunks(spool), headers=headers, media_type=_TAR, background=_closing(spool))


def _closing(spool: Spool) -> BackgroundTask:
    async def close() -> None:
        spool.close()

    return BackgroundTask(close)


async def _chunks(spool: Spool) -> AsyncIterator[bytes]:
    try:
        while chunk := await anyio.to_thread.run_sync(spool.read, _CHUNK):
            yield chunk
    finally:
        spool.close()


async def import_data(request: Request) -> Response:
    """A tar that export made, or one JSON object {collection: [records]}; all of it or nothing."""
    administration, addressed = _addressed(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _FORMATS:
        raise UnsupportedMediaType(
            f"Content-Type is {media_type[:100] or 'missing'}, expected {' or '.join(_FORMATS)}"
        )
    replace = request.query_params.get("replace", "false")
    if replace not in ("true", "false"):
        raise BadRequest(f"replace is {replace[:40]!r}, expected true or false")
    with await in_spool(Spool) as spool:
        await spool.fill(request, state_of(request).settings.session_quota)
        options: dict[str, object] = {"format": _FORMATS[media_type], "replace": replace == "true"}
        return _json(await administration.import_data(addressed, options, spool))


async def openapi_of_session(request: Request) -> dict[str, Any]:
    """The OpenAPI document of the caller's session; one that holds nothing has no collections."""
    state = state_of(request)
    administration = Administration(state.sessions, state.settings)
    try:
        described = await administration.describe(session_of(request))
    except NotFound:
        described = {"collections": {}}
    collections = {
        name: {**learned, "records": learned["observed"]}
        for name, learned in described["collections"].items()
    }
    url = str(request.base_url).rstrip("/")
    owned = frozenset(route.path for route in request.app.routes if isinstance(route, OwnedRoute))
    return await anyio.to_thread.run_sync(partial(session_openapi, collections, url, taken=owned))


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")
