"""One id per request: taken from X-Request-ID or made, returned on every response, part of every log line."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from service.http.record import new_state

HEADER = "X-Request-ID"
_RAW_HEADER = HEADER.lower().encode()
# The unreserved characters of RFC 3986: safe in a URI, a header and a log line.
_ACCEPTED = re.compile(rb"[A-Za-z0-9._~-]{1,128}")


class RequestIdMiddleware:
    """The outermost layer, so that no response leaves without the header."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = accepted_id(scope["headers"]) or make_id()
        raw_id = request_id.encode()
        new_state(scope)["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [pair for pair in message.get("headers", ()) if pair[0] != _RAW_HEADER]
                message["headers"] = [*others, (_RAW_HEADER, raw_id)]
            await send(message)

        tokens = bind_contextvars(request_id=request_id)
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            reset_contextvars(**tokens)


def accepted_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The caller's id, or None unless there is exactly one and it is 1 to 128 of ``A-Za-z0-9._~-``."""
    given = [value for name, value in headers if name == _RAW_HEADER]
    if len(given) != 1 or _ACCEPTED.fullmatch(given[0]) is None:
        return None
    return given[0].decode("ascii")


def make_id() -> str:
    """A fresh id: 128 random bits in hexadecimal."""
    return secrets.token_hex(16)


def request_id_of(scope: Scope) -> str | None:
    """The id of this request; None outside the middleware."""
    return cast("str | None", scope.get("state", {}).get("request_id"))
