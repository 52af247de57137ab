"""Where functions are served: the paths of the service, and those that functions have of their own."""

from __future__ import annotations

from starlette._utils import get_route_path
from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.scopes import Scope as KeyScope
from service.errors import MethodNotAllowed
from service.functions import administration, endpoints
from service.functions.call_endpoint import call_named, call_own
from service.functions.values import Function
from service.http.routing import KeyedRoute, OwnedRoute
from service.state import functions_of

GET, POST = ("GET",), ("POST",)
READ, CALL, WRITE = KeyScope.FUNCTIONS_READ, KeyScope.FUNCTIONS_CALL, KeyScope.FUNCTIONS_WRITE
_ONE = "/_/functions/{contract}/{name}"

ROUTES = (
    OwnedRoute("/load-function", endpoints.load_function, POST, WRITE),
    OwnedRoute("/unload-function/{contract}/{name}", endpoints.unload_function, ("DELETE",), WRITE),
    OwnedRoute("/list-functions", endpoints.list_functions, GET, READ),
    OwnedRoute("/function/{contract}/{name}", call_named, (*GET, *POST), CALL),
    OwnedRoute("/agent/{contract}/{name}", call_named, (*GET, *POST), CALL),
    OwnedRoute("/uploads/{contract}/{file}", endpoints.upload, ("PUT",), WRITE),
    OwnedRoute(_ONE, administration.function, GET, READ),
    OwnedRoute(f"{_ONE}/versions", administration.versions, GET, READ),
    OwnedRoute(f"{_ONE}/versions/{{version}}/source", administration.source, GET, WRITE),
    OwnedRoute(f"{_ONE}/rollback", administration.rollback, POST, WRITE),
    OwnedRoute(f"{_ONE}/canary", administration.canary, ("PUT", "DELETE"), WRITE),
)


class FunctionsRoute(KeyedRoute):
    """The functions' own paths, by one look into a table. Comes before a catch-all."""

    def __init__(self) -> None:
        super().__init__("/{endpoint_path:path}", _call_own, GET, CALL)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Any method matches, so that a path is the function's for all of them."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path = get_route_path(scope)
        function = functions_of(scope).table.at(path.removesuffix("/"))
        # A name that was free when the function was loaded may be the service's own since.
        if function is None or path.split("/", 2)[1] in scope["app"].state.names:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": {}, "function": function}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Through the passage, whatever the method: who may call none is not told that there is one."""
        await self.through_passage(scope, receive, send)


async def _call_own(request: Request) -> ASGIApp:
    """MethodNotAllowed."""
    _check_method(request.method, request.scope["function"])
    return await call_own(request)


def _check_method(method: str, function: Function) -> None:
    own = function.spec.method
    if method != own and not (method == "HEAD" and own == "GET"):
        raise MethodNotAllowed(method, ("GET", "HEAD") if own == "GET" else (own,))


OWN_PATHS: Route = FunctionsRoute()
