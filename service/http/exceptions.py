"""How every exception of an application becomes one problem response."""

from __future__ import annotations

import structlog
from starlette.exceptions import HTTPException
from starlette.types import Scope
from structlog.typing import FilteringBoundLogger

from service.errors import (
    BadRequest,
    ControlUnavailable,
    InternalError,
    LarsError,
    MethodNotAllowed,
    NotFound,
    NotReady,
    RateLimited,
    kind_of,
)
from service.http.problem import ProblemResponse
from service.http.request_id import request_id_of
from service.telemetry.catalog import LIMITED
from service.telemetry.requests import count_problem
from service.threads import WANTING, for_want_of_a_thread

_log: FilteringBoundLogger = structlog.get_logger("lars.http")
_FAULT = "lars.fault"


def set_fault(scope: Scope, error: LarsError) -> None:
    """What is wrong with the rest of the body. Raised before the application begins, or where it asks for
    the rest the next time; a server that sets it wakes whoever waits for it already."""
    scope[_FAULT] = error


def raise_fault(scope: Scope) -> None:
    """What ``set_fault`` has set."""
    if _FAULT in scope:
        raise scope[_FAULT]


def forget_fault(scope: Scope) -> None:
    """The request is over. An error that was raised has the frames it came through, and what they have read;
    they have the scope."""
    scope.pop(_FAULT, None)


def answer(error: Exception, scope: Scope) -> ProblemResponse:
    """The response for any exception; what no caller caused is logged with its traceback."""
    told = told_as(error, scope)
    if isinstance(told, InternalError):
        _log.error("unhandled_error", exc_info=error)
    elif isinstance(told, ControlUnavailable):
        _log.error("control_unavailable", reason=told.reason)
    count_problem(scope, kind_of(told).code)
    if isinstance(told, RateLimited):
        LIMITED.add(told.policy)
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
    if for_want_of_a_thread(error):
        return NotReady(WANTING)
    return InternalError()
