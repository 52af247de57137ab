"""The one layer between server and router: the request's id, its log line, its span, what is counted of it,
and an answer to every error.

They are one because each layer costs a coroutine and a closure for each message of each request; what each of
them does is in ``request_id``, ``access_log`` and ``exceptions``, and in ``service.telemetry``.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars
from structlog.typing import FilteringBoundLogger

from service.http.access_log import Line
from service.http.exceptions import answer, forget_fault, raise_fault
from service.http.record import RequestRecord
from service.http.request_id import RAW_HEADER, id_for
from service.telemetry.requests import count_cpu, count_request
from service.telemetry.spans import begin_request

_log: FilteringBoundLogger = structlog.get_logger("lars.http")
_EXCHANGE = "lars.exchange"


class Edge:
    """``between``: a layer that sees errors as answers too, such as CORS.

    An error after the response was started cannot be told to the caller any more: it is logged and raised on,
    which makes the server cut the connection, so that half a response never looks like a whole one.
    """

    def __init__(self, app: ASGIApp, between: Callable[[ASGIApp], ASGIApp] | None = None) -> None:
        self._app = app
        self._answered: ASGIApp = self._answer if between is None else between(self._answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope[_EXCHANGE] = _Exchange(scope, receive, send)
        tokens = bind_contextvars(request_id=exchange.request_id)
        span = begin_request(scope)
        try:
            await self._answered(scope, exchange.receive, exchange.send)
        finally:
            exchange.over()
            if span is not None:
                span.end(scope, exchange.request_id, exchange.status, exchange.line.record)
            reset_contextvars(**tokens)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: _Exchange = scope[_EXCHANGE]
        try:
            raise_fault(scope)  # the body was broken in the read that brought the head
            await self._app(scope, receive, send)
        except ClientDisconnect:
            exchange.line.record.disconnected = True
        except Exception as error:  # the outermost frame of a request: beyond it is only the server's own 500
            if exchange.status is not None:
                _log.exception("error_after_response_started")
                raise
            await answer(error, scope)(scope, receive, send)


class _Exchange:
    """Sees the messages of one request pass. ``status``: None until the response has begun."""

    __slots__ = (
        *("_came", "_complete", "_raw_id", "_receive", "_scope", "_send", "_went"),
        *("line", "request_id", "status"),
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.request_id = id_for(scope["headers"])
        self._raw_id = (RAW_HEADER, self.request_id.encode())
        self.line = Line(RequestRecord())
        self.status: int | None = None
        self._complete = False
        self._came = self._went = 0  # bytes of the bodies
        # A state of its own, which may still hold what the lifespan put there.
        state = scope["state"] = dict(scope.get("state", {}))
        state["request_id"], state["record"] = self.request_id, self.line.record

    async def receive(self) -> Message:
        message = await self._receive()
        # A server also says "disconnect" to whoever asks after the response is complete.
        if message["type"] == "http.disconnect" and not self._complete:
            self.line.record.disconnected = True
        raise_fault(self._scope)
        self._came += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [pair for pair in message.get("headers", ()) if pair[0] != RAW_HEADER]
            headers.append(self._raw_id)
            message["headers"] = headers
        elif message["type"] == "http.response.body":
            self._went += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
        await self._send(message)

    def over(self) -> None:
        """Log and count it."""
        forget_fault(self._scope)
        seconds = self.line.write(self._scope, self.request_id, self.status)
        endpoint = count_request(self._scope, self.status, seconds, (self._came, self._went))
        cpu = self.line.record.spent.cpu
        if cpu:
            count_cpu(endpoint, cpu)
