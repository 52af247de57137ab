"""Errors of a request that is at fault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from service.errors.base import (
    FieldError,
    RequestError,
    cut,
)


class BadRequest(RequestError):
    """The request is not well-formed HTTP for this service."""


class MalformedJson(BadRequest):
    """The body is not JSON. Lines and columns count from 1; None: there is no text to point at."""

    def __init__(self, detail: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(detail, extra={"line": line, "column": column})


class PolicyRefused(RequestError):
    """An AST policy refused the program before it ran. Lines and columns count from 1; None: of the whole."""

    def __init__(self, detail: str, *, rule: str, line: int | None, column: int | None) -> None:
        super().__init__(detail, extra={"verdict": "rejected", "rule": rule, "line": line, "column": column})


class NotFound(RequestError):
    """Nothing is there."""


class Conflict(RequestError):
    """What is there stands against it."""


class PreconditionFailed(RequestError):
    """What is there is not what If-Match names (RFC 9110 section 13.1.1)."""


class UploadRefused(RequestError):
    """What lies where a module belongs must not be read, or what is to be written must not be. ``reason``:
    one word for it."""

    def __init__(self, detail: str, *, reason: str) -> None:
        super().__init__(detail, extra={"reason": reason})


class IdempotencyConflict(Conflict):
    """A request with the same Idempotency-Key has not been answered yet."""

    def __init__(
        self, detail: str = "a request with this Idempotency-Key still runs; wait for its answer"
    ) -> None:
        super().__init__(detail)


class MethodNotAllowed(RequestError):
    """The path exists, for other methods."""

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        allow = ", ".join(sorted(allowed))
        super().__init__(
            f"{cut(method)} is not allowed on this path; use {allow or 'another path'}",
            headers={"Allow": allow},
        )


class PayloadTooLarge(RequestError):
    """A part of the request is over its limit, in bytes. ``setting`` is what an operator raises."""

    def __init__(self, field: str, limit: int, *, setting: str, observed: int | None = None) -> None:
        size = "more" if observed is None else f"{observed} bytes, more"
        super().__init__(
            f"{field} is {size} than the limit of {limit} bytes; send less, or have {setting} raised",
            extra={"field": field, "limit": limit},
        )


class RequestTimeout(RequestError):
    """A part of the request, ``field``, came too slowly for ``seconds``, which ``setting`` allows."""

    def __init__(self, field: str, seconds: float, *, setting: str) -> None:
        super().__init__(
            f"{field} of the request came too slowly for {seconds:g} s; send it faster, "
            f"or have {setting} raised",
            extra={"field": field, "limit": seconds},
        )


class UriTooLong(RequestError):
    """The URI alone is over the limit of a request's head, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"URI is longer than the limit of {limit} bytes; send what is long in the body, "
            "or have LARS_MAX_HEADER_BYTES raised",
            extra={"field": "URI", "limit": limit},
        )


class HeadersTooLarge(RequestError):
    """There are more of ``field`` than ``limit``."""

    def __init__(self, field: str, limit: int, *, setting: str = "LARS_MAX_HEADER_BYTES") -> None:
        super().__init__(
            f"{field} are more than the limit of {limit}; send fewer, or have {setting} raised",
            extra={"field": field, "limit": limit},
        )


class UnsupportedMediaType(RequestError):
    """The body is not of a type that this path reads."""


class ValidationFailed(RequestError):
    """The body is JSON, but not what this path takes. ``errors``: every field that is wrong, at least one."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        more = f" (and {len(errors) - 1} more, see errors)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0]}{more}", extra={"errors": [error.as_json() for error in errors]})
        self.errors = tuple(errors)
