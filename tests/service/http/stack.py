"""A Starlette application with the service's layers in their order, and a log that can be read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from service.http.edge import Edge

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
Log = list[Any]


def application(endpoint: Endpoint, path: str = "/", methods: Sequence[str] = ("GET", "POST")) -> Starlette:
    """One endpoint behind the edge."""
    return behind_edge([Route(path, endpoint, methods=methods)])


def behind_edge(routes: Sequence[BaseRoute]) -> Starlette:
    """These routes."""
    return Behind(routes=routes)


class Behind(Starlette):
    """An application whose only layer is the edge."""

    def build_middleware_stack(self) -> ASGIApp:
        return Edge(self.router)


@contextmanager
def logged() -> Iterator[Log]:
    """The lines of the block, with the fields that are bound to the context."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines
