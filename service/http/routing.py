"""Routes that say what a caller must be allowed, those that a catch-all must leave alone, the catch-all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.gate import ENDPOINT_NAMES, Need
from service.state import passage_of

Endpoint = Callable[[Request], Awaitable[ASGIApp]]


def _answering(endpoint: Endpoint) -> ASGIApp:
    """Without the layer that Starlette puts around each endpoint for its own handlers of exceptions: the edge
    has them all."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


class KeyedRoute(Route):
    """Its endpoint runs for callers who may do what it ``needs``. A method that it has not is 405 for all."""

    def __init__(self, path: str, endpoint: Endpoint, methods: Sequence[str], needs: Need) -> None:
        super().__init__(path, endpoint, methods=list(methods))
        self.app = _answering(endpoint)
        self.needs = needs
        self.endpoint_name = ENDPOINT_NAMES[needs]  # in figures

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Through the passage of this front."""
        if self.methods and scope["method"] not in self.methods:
            await super().handle(scope, receive, send)
        else:
            await self.through_passage(scope, receive, send)

    async def through_passage(self, scope: Scope, receive: Receive, send: Send) -> None:
        """For callers who may do what it needs."""
        await passage_of(scope).through(self.app, self.needs, scope, receive, send)


class OwnedRoute(KeyedRoute):
    """A path that is this endpoint's for every method: the others than its own are answered 405."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Starlette goes on looking after a match of the path alone; here there is nothing else to find."""
        match, child_scope = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child_scope


class CatchAllRoute(KeyedRoute):
    """Every path whose first segment is not one of ``taken``. Comes first: it asks no other route."""

    def __init__(
        self, endpoint: Endpoint, methods: Sequence[str], taken: Collection[str], needs: Need
    ) -> None:
        super().__init__("/{path:path}", endpoint, methods, needs)
        self._taken = frozenset(taken)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """By one look into a set."""
        first = scope["path"].removeprefix("/").partition("/")[0]
        if scope["type"] != "http" or first in self._taken:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": {}}
