"""Routes that a catch-all must not answer for, and the catch-all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from starlette.routing import Match, Route
from starlette.types import Scope


class OwnedRoute(Route):
    """A path that is this endpoint's for every method: the others than its own are answered 405."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Starlette goes on looking after a match of the path alone; here there is nothing else to find."""
        match, child_scope = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child_scope


class CatchAllRoute(Route):
    """Every path whose first segment is not one of ``taken``. Comes first: it asks no other route."""

    def __init__(self, endpoint: Any, methods: Sequence[str], taken: Collection[str]) -> None:
        super().__init__("/{path:path}", endpoint, methods=list(methods))
        self._taken = frozenset(taken)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """By one look into a set."""
        first = scope["path"].removeprefix("/").partition("/")[0]
        if scope["type"] != "http" or first in self._taken:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": {}}
