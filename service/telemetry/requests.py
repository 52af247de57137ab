"""Counting requests: what the edge knows of one when it is over."""

from __future__ import annotations

from starlette.types import Scope

from service.http.record import record_of
from service.telemetry.catalog import (
    ERRORS,
    METHODS,
    NO_ENDPOINT,
    NO_STATUS,
    OTHER_METHOD,
    REQUEST_BYTES,
    REQUEST_CPU,
    REQUEST_SECONDS,
    REQUESTS,
    RESPONSE_BYTES,
    STATUSES,
)

_KNOWN = frozenset(METHODS)


def count_request(scope: Scope, status: int | None, seconds: float, sizes: tuple[int, int]) -> str:
    """``status``: None when no answer was begun; ``sizes``: bytes of the bodies, in and out. Its endpoint."""
    endpoint: str = getattr(scope.get("route"), "endpoint_name", NO_ENDPOINT)
    method = scope["method"]
    REQUESTS.add(endpoint, method if method in _KNOWN else OTHER_METHOD, _class_of(status))
    REQUEST_SECONDS.observe(seconds, endpoint)
    REQUEST_BYTES.observe(sizes[0], endpoint)
    RESPONSE_BYTES.observe(sizes[1], endpoint)
    return endpoint


def count_cpu(endpoint: str, seconds: float) -> None:
    """What workers have used for it."""
    REQUEST_CPU.add(endpoint, by=seconds)


def count_problem(scope: Scope, code: str) -> None:
    """A problem is the answer. One whose code is not in docs/errors.md, which a plan may make up, is none of
    ours to tell."""
    if (code,) in ERRORS.at:
        record_of(scope).error_code = code
        ERRORS.add(code)


def count_refusal(status: int) -> None:
    """What never became a request was answered."""
    REQUESTS.add(NO_ENDPOINT, OTHER_METHOD, _class_of(status))


def _class_of(status: int | None) -> str:
    return NO_STATUS if status is None else STATUSES[status // 100 - 1]
