"""Exactly one log line per HTTP request, written when it is over, however it ended."""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from service.http.record import RequestRecord, new_state
from service.http.request_id import request_id_of

CLIENT_CLOSED_REQUEST = 499  # no standard has a status for it; this is what proxies log
UNMATCHED = "unmatched"

_log: FilteringBoundLogger = structlog.get_logger("lars.access")


class AccessLogMiddleware:
    """Event ``request`` at INFO: request_id, client, method, route, status, total_ms and the fields of the
    record.

    ``client`` is the peer's address, or what a trusted proxy says of its own peer.
    ``route`` is the template (``/files/{name}``), never the path: a path may hold what callers keep secret.
    ``status`` is None when no response was started, and 499 when that is because the client left.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        watch = _Watch(receive, send)
        new_state(scope)["record"] = watch.record
        began = time.monotonic()
        try:
            await self.app(scope, watch.receive, watch.send)
        finally:
            _log.info(
                "request",
                request_id=request_id_of(scope),
                client=client_of(scope),
                method=scope["method"],
                route=getattr(scope.get("route"), "path", UNMATCHED),
                status=watch.status_to_log(),
                total_ms=round((time.monotonic() - began) * 1000, 3),
                **watch.record.as_fields(),
            )


def client_of(scope: Scope) -> str | None:
    """The address of the client; None where the server knows none."""
    client = scope.get("client")
    return client[0] if client else None


class _Watch:
    """Sees the messages of one request pass."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.record = RequestRecord()
        self._receive = receive
        self._send = send
        self._status: int | None = None
        self._complete = False

    async def receive(self) -> Message:
        message = await self._receive()
        # A server also says "disconnect" to whoever asks after the response is complete.
        if message["type"] == "http.disconnect" and not self._complete:
            self.record.disconnected = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._complete = True
        await self._send(message)

    def status_to_log(self) -> int | None:
        if self._status is None and self.record.disconnected:
            return CLIENT_CLOSED_REQUEST
        return self._status
