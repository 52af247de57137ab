"""The application of one front. Only composed here: routes, layers, state."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from service.execution.endpoint import execute
from service.http.access_log import AccessLogMiddleware
from service.http.exceptions import EXCEPTION_HANDLERS, ErrorMiddleware
from service.http.request_id import RequestIdMiddleware
from service.http.routing import CatchAllRoute, OwnedRoute
from service.rest import endpoint as resources
from service.rest import plan_endpoints as plans
from service.sessions import endpoints as sessions
from service.state import ServiceState
from service.system import endpoints as system

OWNED = (
    OwnedRoute("/execute", execute, methods=["POST"]),
    OwnedRoute("/health", system.health, methods=["GET"]),
    OwnedRoute("/healthz", system.healthz, methods=["GET"]),
    OwnedRoute("/readyz", system.readyz, methods=["GET"]),
    OwnedRoute("/capabilities", system.show_capabilities, methods=["GET"]),
    OwnedRoute("/openapi.json", system.openapi, methods=["GET"]),
    OwnedRoute("/_/plans", plans.list_plans, methods=["GET"]),
    OwnedRoute("/_/plans/{plan}", plans.show_plan, methods=["GET"]),
    OwnedRoute("/_/sessions/{session}/fork", sessions.fork, methods=["POST"]),
    OwnedRoute("/_/sessions/{session}/export", sessions.export, methods=["GET"]),
    OwnedRoute("/_/sessions/{session}/import", sessions.import_data, methods=["POST"]),
    OwnedRoute("/_/sessions/{session}", sessions.session, methods=["GET", "PATCH", "DELETE"]),
)
# What lies beside and below the paths above is nobody's resource: "/execute/" must not become a collection.
# Nor may what other versions of this service serve: data under such a name would be out of reach there.
NAMES = frozenset(route.path.split("/")[1] for route in OWNED) | frozenset(
    (
        *("agent", "docs", "function", "generate-and-execute", "list-functions", "load-function", "metrics"),
        *("redoc", "unload-function", "uploads"),
    )
)
RESERVED = Route("/{path:path}", resources.reserved, methods=list(resources.METHODS))
RESOURCES = CatchAllRoute(resources.rest, resources.METHODS, NAMES)
ROUTES = (RESOURCES, *OWNED, RESERVED)


def _layers(origins: tuple[str, ...]) -> list[Middleware]:
    """From the outside in. CORS answers preflights, and adds its headers to errors too."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=resources.METHODS,
        allow_headers=("*",),
        expose_headers=resources.EXPOSED,
    )
    return [
        Middleware(RequestIdMiddleware),
        Middleware(AccessLogMiddleware),
        *([cors] if origins else []),
        Middleware(ErrorMiddleware),
    ]


def create_app(state: ServiceState) -> Starlette:
    """The ASGI application over one front's state."""
    middleware = _layers(state.settings.cors_origins)
    app = Starlette(routes=list(ROUTES), middleware=middleware, exception_handlers=EXCEPTION_HANDLERS)
    app.router.redirect_slashes = False  # a redirect would take its host from the caller and lose the body
    app.state.service = state
    return app
