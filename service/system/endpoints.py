"""GET /health, /healthz, /readyz, /capabilities, /openapi.json."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.errors import NotReady
from service.rest.identity import has_session
from service.sessions.endpoints import openapi_of_session
from service.state import state_of
from service.system.capabilities import capabilities
from service.system.openapi import document
from service.system.openapi_security import keyed_routes, secured, serve_resources, served


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


async def health(_: Request) -> Response:
    """The process answers."""
    return _json({"status": "healthy"})


async def healthz(_: Request) -> Response:
    """The same for probes that expect this word."""
    return _json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """A worker of a living zygote has run a program."""
    if not state_of(request).pool.ready:
        raise NotReady
    return _json({"status": "ready"})


async def show_capabilities(request: Request) -> Response:
    """Layers, limits, Python and packages."""
    return _json(capabilities(state_of(request)))


async def openapi(request: Request) -> Response:
    """OpenAPI 3.1 of this server; for a caller with a session, of what its API has come to be."""
    routes = keyed_routes(request)
    if serve_resources(routes) and has_session(request):
        return _json(await openapi_of_session(request))
    state = state_of(request)
    gate = state.passage.gate
    return _json(secured(served(document(state.settings), routes), routes, gate.unkeyed))
