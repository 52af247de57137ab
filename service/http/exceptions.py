"""The layer that turns every exception of the layers below it into one problem response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from service.errors import (
    BadRequest,
    ControlUnavailable,
    InternalError,
    LarsError,
    MethodNotAllowed,
    NotFound,
    kind_of,
)
from service.http.problem import ProblemResponse
from service.http.record import record_of
from service.http.request_id import request_id_of

_log: FilteringBoundLogger = structlog.get_logger("lars.http")
_FAULT = "lars.fault"


class ErrorMiddleware:
    """Inside the access log, outside the router.

    An error after the response was started cannot be told to the caller any more: it is logged and raised on,
    which makes the server cut the connection, so that half a response never looks like a whole one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        response_started = False

        async def receive_whole() -> Message:
            message = await receive()
            _raise_fault(scope)
            return message

        async def send_watched(message: Message) -> None:
            nonlocal response_started
            response_started = response_started or message["type"] == "http.response.start"
            await send(message)

        try:
            _raise_fault(scope)  # the body was broken in the read that brought the head
            await self.app(scope, receive_whole, send_watched)
        except ClientDisconnect:
            record_of(scope).disconnected = True
        except Exception as error:  # the outermost frame of a request: beyond it is only the server's own 500
            if response_started:
                _log.exception("error_after_response_started")
                raise
            await answer(error, scope)(scope, receive, send)


def set_fault(scope: Scope, error: LarsError) -> None:
    """What is wrong with the rest of the body. Raised before the application begins, or where it asks for
    the rest the next time; a server that sets it wakes whoever waits for it already."""
    scope[_FAULT] = error


def _raise_fault(scope: Scope) -> None:
    if _FAULT in scope:
        raise scope[_FAULT]


def answer(error: Exception, scope: Scope) -> ProblemResponse:
    """The response for any exception; what no caller caused is logged with its traceback."""
    told = told_as(error, scope)
    if isinstance(told, InternalError):
        _log.error("unhandled_error", exc_info=error)
    elif isinstance(told, ControlUnavailable):
        _log.error("control_unavailable", reason=told.reason)
    record_of(scope).error_code = kind_of(told).code
    return ProblemResponse(told, request_id_of(scope))


def told_as(error: Exception, scope: Scope) -> LarsError:
    """The error that a caller is told of for ``error``; what is not known is an InternalError, without a word
    of the original."""
    if isinstance(error, LarsError):
        return error
    if isinstance(error, HTTPException):
        if error.status_code == 404:
            return NotFound(f"nothing is served at {scope['path'][:200]}; check the path")
        if error.status_code == 405:
            allow = (error.headers or {}).get("Allow", "")
            return MethodNotAllowed(scope["method"], [method.strip() for method in allow.split(",")])
        if error.status_code == 400:
            return BadRequest(error.detail)
    return InternalError()


async def _answer_request(request: Request, error: Exception) -> ProblemResponse:
    return answer(error, request.scope)


# For ``Starlette(exception_handlers=...)``, which would otherwise answer its own 404 and 405 in plain text.
EXCEPTION_HANDLERS: Mapping[Any, ExceptionHandler] = {HTTPException: _answer_request}
