"""The application of one front. Only composed here: routes, layers, state."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from service.access import endpoints as keys
from service.access.catch_up import CatchUpMiddleware
from service.access.gate import Open
from service.access.scopes import Scope
from service.execution.endpoint import execute
from service.functions import routes as functions
from service.http.access_log import AccessLogMiddleware
from service.http.exceptions import EXCEPTION_HANDLERS, ErrorMiddleware
from service.http.request_id import RequestIdMiddleware
from service.http.routing import CatchAllRoute, OwnedRoute
from service.rest import endpoint as resources
from service.rest import plan_endpoints as plans
from service.sessions import endpoints as sessions
from service.state import ServiceState
from service.system import endpoints as system

GET, POST = ("GET",), ("POST",)
OWNED = (
    OwnedRoute("/execute", execute, POST, Scope.EXECUTE),
    OwnedRoute("/health", system.health, GET, Open.HEALTH),
    OwnedRoute("/healthz", system.healthz, GET, Open.HEALTH),
    OwnedRoute("/readyz", system.readyz, GET, Open.HEALTH),
    OwnedRoute("/capabilities", system.show_capabilities, GET, Open.DOCS),
    OwnedRoute("/openapi.json", system.openapi, GET, Open.DOCS),
    *functions.ROUTES,
    OwnedRoute("/_/keys", keys.keys, ("GET", "POST"), Scope.ADMIN),
    OwnedRoute("/_/keys/{key}/rotate", keys.rotate, POST, Scope.ADMIN),
    OwnedRoute("/_/keys/{key}/usage", keys.usage, GET, Scope.ADMIN),
    OwnedRoute("/_/keys/{key}", keys.key, ("GET", "DELETE"), Scope.ADMIN),
    OwnedRoute("/_/plans", plans.list_plans, GET, Scope.PLANS),
    OwnedRoute("/_/plans/{plan}", plans.show_plan, GET, Scope.PLANS),
    OwnedRoute("/_/sessions/{session}/fork", sessions.fork, POST, Scope.SESSIONS),
    OwnedRoute("/_/sessions/{session}/export", sessions.export, GET, Scope.SESSIONS),
    OwnedRoute("/_/sessions/{session}/import", sessions.import_data, POST, Scope.SESSIONS),
    OwnedRoute("/_/sessions/{session}", sessions.session, ("GET", "PATCH", "DELETE"), Scope.SESSIONS),
)
# What lies beside and below the paths above is nobody's resource: "/execute/" must not become a collection.
# Nor may what other versions of this service serve: data under such a name would be out of reach there.
NAMES = frozenset(route.path.split("/")[1] for route in OWNED) | frozenset(
    ("docs", "generate-and-execute", "improved", "metrics", "redoc", "self-improve")
)
RESERVED = Route("/{path:path}", resources.reserved, methods=list(resources.METHODS))
RESOURCES = CatchAllRoute(resources.rest, resources.METHODS, NAMES, Scope.REST)
ROUTES = (functions.OWN_PATHS, RESOURCES, *OWNED, RESERVED)
# What no function's own path may begin with; /agent/hello may be one.
TAKEN = NAMES - {"agent", "function"}


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
        Middleware(CatchUpMiddleware),
    ]


def create_app(state: ServiceState) -> Starlette:
    """The ASGI application over one front's state."""
    middleware = _layers(state.settings.cors_origins)
    app = Starlette(routes=list(ROUTES), middleware=middleware, exception_handlers=EXCEPTION_HANDLERS)
    app.router.redirect_slashes = False  # a redirect would take its host from the caller and lose the body
    app.state.service = state
    app.state.names = TAKEN
    return app
