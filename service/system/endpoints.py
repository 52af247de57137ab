"""GET /health, /healthz, /readyz, /capabilities, /openapi.json."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from service.access.scopes import Scope
from service.errors import NotReady
from service.http.entity_tag import is_known
from service.rest.identity import has_session
from service.sessions.endpoints import openapi_of_session
from service.state import state_of
from service.system.capabilities import capabilities
from service.system.live_document import Frame
from service.system.openapi import document
from service.system.openapi_security import keyed_routes, secured, security_of, serve_resources, served

_DRAINS = "the service drains: it finishes what it has accepted, and takes nothing more"


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


async def health(_: Request) -> Response:
    """The process answers."""
    return _json({"status": "healthy"})


async def healthz(_: Request) -> Response:
    """The same for probes that expect this word."""
    return _json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """A worker of a living zygote has run a program, and the service is not about to end."""
    state = state_of(request)
    if state.phase.draining:
        raise NotReady(_DRAINS)
    if not state.pool.ready:
        raise NotReady
    return _json({"status": "ready"})


async def show_capabilities(request: Request) -> Response:
    """Layers, limits, Python and packages."""
    return _json(capabilities(state_of(request)))


async def openapi(request: Request) -> Response:
    """OpenAPI 3.1 of this server and of the functions that it serves now; for a caller with a session, of
    what its API has come to be."""
    if serve_resources(keyed_routes(request)) and has_session(request):
        return _json(await openapi_of_session(request))
    state = state_of(request)
    rendered = await state.document.rendered(state.functions.table, _frame(request))
    headers = {"ETag": rendered.tag, "Cache-Control": "no-cache"}
    if is_known(request.headers.get("if-none-match"), rendered.tag):
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(rendered.size)
    return StreamingResponse(_each(rendered.chunks), headers=headers, media_type="application/json")


async def _each(chunks: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _frame(request: Request) -> Frame:
    state = state_of(request)
    unkeyed = state.passage.gate.unkeyed
    root = str(request.scope.get("root_path", ""))

    def make() -> dict[str, Any]:
        routes = keyed_routes(request)
        made = secured(served(document(state.settings), routes), routes, unkeyed)
        return {**made, "servers": [{"url": root}]} if root else made

    security = None if Scope.FUNCTIONS_CALL in unkeyed else security_of(Scope.FUNCTIONS_CALL)
    return Frame((unkeyed, root), security, make)
