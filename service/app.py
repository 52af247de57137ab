"""The application of one front. Only composed here: routes, layers, state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from service.access import endpoints as keys
from service.access.catch_up import CatchUpMiddleware
from service.access.gate import Open
from service.access.scopes import Scope
from service.execution.endpoint import execute
from service.functions import routes as functions
from service.generation.endpoint import generate_and_execute
from service.http.edge import Edge
from service.http.routing import CatchAllRoute, OwnedRoute
from service.improvement import routes as improvement
from service.rest import endpoint as resources
from service.rest import plan_endpoints as plans
from service.rest.context import METHODS
from service.sessions import endpoints as sessions
from service.state import ServiceState
from service.system import docs_pages as pages
from service.system import endpoints as system
from service.telemetry import endpoint as telemetry

GET, POST = ("GET",), ("POST",)
OWNED = (
    OwnedRoute("/execute", execute, POST, Scope.EXECUTE),
    OwnedRoute("/generate-and-execute", generate_and_execute, POST, Scope.GENERATE),
    OwnedRoute("/health", system.health, GET, Open.HEALTH),
    OwnedRoute("/healthz", system.healthz, GET, Open.HEALTH),
    OwnedRoute("/readyz", system.readyz, GET, Open.HEALTH),
    OwnedRoute("/capabilities", system.show_capabilities, GET, Open.DOCS),
    OwnedRoute("/openapi.json", system.openapi, GET, Open.DOCS),
    OwnedRoute("/docs", pages.docs, GET, Open.DOCS),
    OwnedRoute("/docs/assets/{digest}/{name}", pages.asset, GET, Open.DOCS),
    OwnedRoute("/redoc", pages.redoc, GET, Open.DOCS),
    *functions.ROUTES,
    *improvement.ROUTES,
    OwnedRoute("/metrics", telemetry.metrics, GET, Scope.METRICS),
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
NAMES = frozenset(route.path.split("/")[1] for route in OWNED)
RESERVED = Route("/{path:path}", resources.reserved, methods=list(METHODS))
RESOURCES = CatchAllRoute(resources.rest, METHODS, NAMES, Scope.REST)
ROUTES = (functions.OWN_PATHS, RESOURCES, *OWNED, RESERVED)
# What no function's own path may begin with; /agent/hello may be one. What is well known (RFC 8615) speaks
# for the whole host, to those who look there for who may link to it or have its certificates.
TAKEN = NAMES - {"agent", "function"} | {".well-known"}


# For an application that functions alone are served in, under the names that they have here.
FUNCTIONS = (
    functions.OWN_PATHS,
    *functions.ROUTES,
    *improvement.ROUTES,
    *(route for route in OWNED if route.path.split("/")[1] in ("docs", "health", "openapi.json", "redoc")),
)
Layer = Callable[[ASGIApp], ASGIApp]


class Application(Starlette):
    """Starlette's, with the service's edge in the place of its layers for exceptions. ``guard``: a layer that
    has a say before anything is looked up."""

    def __init__(
        self, routes: Sequence[BaseRoute], origins: tuple[str, ...], guard: Layer | None = None
    ) -> None:
        super().__init__(routes=routes)
        # A redirect would take its host from the caller and lose the body.
        self.router.redirect_slashes = False
        self.state.names = TAKEN
        self._origins = origins
        self._guard = guard

    def build_middleware_stack(self) -> ASGIApp:
        """From the outside in: the edge, which has CORS answer preflights and add its headers to errors too;
        the guard; the look at what has changed; the router."""
        inner: ASGIApp = CatchUpMiddleware(self.router)
        if self._guard is not None:
            inner = self._guard(inner)
        return Edge(inner, partial(_cors, self._origins) if self._origins else None)


def _cors(origins: tuple[str, ...], app: ASGIApp) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=("*",),
        expose_headers=resources.EXPOSED,
    )


def create_app(state: ServiceState) -> Starlette:
    """The ASGI application over one front's state."""
    app = Application(ROUTES, state.settings.cors_origins)
    app.state.service = state
    return app


def create_functions_app(origins: tuple[str, ...], guard: Layer) -> Starlette:
    """The same with functions alone, wherever it is mounted. Its state must be there when ``guard`` lets a
    request pass."""
    return Application(FUNCTIONS, origins, guard)
