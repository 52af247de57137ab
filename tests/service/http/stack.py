"""A Starlette application with the service's layers in their order, and a log that can be read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from service.http.access_log import AccessLogMiddleware
from service.http.exceptions import EXCEPTION_HANDLERS, ErrorMiddleware
from service.http.request_id import RequestIdMiddleware

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
Log = list[Any]


def application(endpoint: Endpoint, path: str = "/", methods: Sequence[str] = ("GET", "POST")) -> Starlette:
    """One endpoint behind id, log line and error layer."""
    return Starlette(
        routes=[Route(path, endpoint, methods=methods)],
        middleware=[
            Middleware(layer) for layer in (RequestIdMiddleware, AccessLogMiddleware, ErrorMiddleware)
        ],
        exception_handlers=EXCEPTION_HANDLERS,
    )


@contextmanager
def logged() -> Iterator[Log]:
    """The lines of the block, with the fields that are bound to the context."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines
