"""The application of one front. Only composed here: routes, layers, state."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from service.execution.endpoint import execute
from service.http.access_log import AccessLogMiddleware
from service.http.exceptions import EXCEPTION_HANDLERS, ErrorMiddleware
from service.http.request_id import RequestIdMiddleware
from service.state import ServiceState
from service.system import endpoints as system

ROUTES = (
    Route("/execute", execute, methods=["POST"]),
    Route("/health", system.health, methods=["GET"]),
    Route("/healthz", system.healthz, methods=["GET"]),
    Route("/readyz", system.readyz, methods=["GET"]),
    Route("/capabilities", system.show_capabilities, methods=["GET"]),
    Route("/openapi.json", system.openapi, methods=["GET"]),
)
MIDDLEWARE = (
    Middleware(RequestIdMiddleware),
    Middleware(AccessLogMiddleware),
    Middleware(ErrorMiddleware),
)


def create_app(state: ServiceState) -> Starlette:
    """The ASGI application over one front's state."""
    app = Starlette(routes=list(ROUTES), middleware=list(MIDDLEWARE), exception_handlers=EXCEPTION_HANDLERS)
    app.router.redirect_slashes = False  # a redirect would take its host from the caller and lose the body
    app.state.service = state
    return app
