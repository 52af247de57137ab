"""Where functions are served: the paths of the service, and those that functions have of their own."""

from __future__ import annotations

from collections.abc import Collection

from starlette._utils import get_route_path
from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.scopes import Scope as KeyScope
from service.errors import MethodNotAllowed
from service.functions import administration, endpoints
from service.functions.call_endpoint import call_named, call_own
from service.functions.names import IMPROVED
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
        if function is None or _is_taken(path.split("/", 2)[1], function, scope["app"].state.names):
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
    own = function.spec.methods
    allowed = (*own, "HEAD") if "GET" in own else own
    if method not in allowed:
        raise MethodNotAllowed(method, allowed)


def _is_taken(first: str, function: Function, names: Collection[str]) -> bool:
    """Whether a path that begins so is not the function's: a name that was free when it was loaded may be the
    service's own since. Improvements are served below a name of the service."""
    return first in names and (function.spec.improvement is None or first != IMPROVED)


OWN_PATHS: Route = FunctionsRoute()
