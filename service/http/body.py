"""Request bodies: never more of one in memory than its limit, and JSON objects only."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Scope

from service.errors import (
    BadRequest,
    FieldError,
    MalformedJson,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
)
from service.garbage import without_collection
from service.http.disconnect import CONNECTION, Connection, DisconnectWatch
from service.http.holdings import Kept
from service.http.json_text import check_depth, loads
from service.http.large import LARGE, T

SETTING = "LARS_MAX_BODY_BYTES"
_USUAL = "application/json"
_MAX_DIGITS = 18
_JSON = re.compile(r"application/(?:json|[a-z0-9.!#$&^_-]+\+json)", re.ASCII)


def has_body(request: Request) -> bool:
    """Whether one may come (RFC 9112 section 6.3)."""
    scope = request.scope
    return (
        _field(scope, b"content-length") not in (None, "0") or _field(scope, b"transfer-encoding") is not None
    )


async def read_body(request: Request, limit: int, setting: str = SETTING) -> bytes:
    """The body, of at most ``limit`` bytes, which ``setting`` raises. PayloadTooLarge as soon as
    Content-Length or the bytes so far are over it. The server drops the rest, so that a caller who is still
    sending gets the answer."""
    declared = _declared_length(request)
    if declared is not None and declared > limit:
        raise PayloadTooLarge("body", limit, setting=setting, observed=declared)
    message = await _next(request)
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(first) <= limit:
        return first
    body = bytearray(first)
    kept = kept_of(request.scope)
    while True:
        if len(body) > limit:
            raise PayloadTooLarge("body", limit, setting=setting)
        if not message.get("more_body", False):
            if kept is not None:
                kept.whole_body(len(body))
            return bytes(body)
        if kept is not None:
            kept.body(len(body))
        message = await _next(request)
        body += message.get("body", b"")


def kept_of(scope: Scope) -> Kept | None:
    """What the front keeps for the connection of a request; None where there is none, but another
    application."""
    connection: Connection | None = scope.get(CONNECTION)
    return None if connection is None else connection.kept


async def _next(request: Request) -> Message:
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message


async def on_body(request: Request, size: int, work: Callable[[], T]) -> T:
    """What ``work`` on a body of so many bytes returns: at once, or in its turn when that is large.
    ClientDisconnect when the caller leaves meanwhile."""
    connection: Connection | None = request.scope.get(CONNECTION)
    if size < LARGE or connection is None:
        return work()
    async with DisconnectWatch(request.receive):
        return await connection.large.run(work)


async def read_json_text(request: Request, limit: int) -> tuple[bytes, dict[str, Any]]:
    """The body as it came, and as a JSON object. UnsupportedMediaType (before reading), PayloadTooLarge,
    MalformedJson (with the position), or ValidationFailed when it is JSON but no object."""
    require_json(request)
    body = await read_body(request, limit)
    return body, await on_body(request, len(body), partial(parse_object, body))


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is. MalformedJson (with the position), or ValidationFailed when it is JSON
    but no object."""
    if not body:
        raise MalformedJson("the body is empty; send a JSON object")
    try:
        value = parse_json(body)
    except json.JSONDecodeError as error:  # orjson's errors are of this class too
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedJson(
            f"the body is not JSON: {error.msg} at {where}", line=error.lineno, column=error.colno
        ) from None  # the original holds the whole body
    if not isinstance(value, dict):
        raise ValidationFailed([FieldError("body", "is not a JSON object", "send {...}", value=value)])
    return value


def parse_json(body: bytes) -> Any:
    """The value that a JSON text holds. json.JSONDecodeError (orjson's are of that class) when it is none;
    MalformedJson when it is nested too deeply."""
    try:
        return loads(body)
    except json.JSONDecodeError as error:
        if "infinity" not in error.msg:
            raise
    # orjson reads no number above 1e308, but an integer may have any number of digits.
    check_depth(body)
    try:
        with without_collection():
            value = json.loads(body, parse_int=_integer, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # json reads what orjson refuses, and no field could be encoded
        raise json.JSONDecodeError("lone surrogate in a string", "", 0) from None
    return value


def _integer(digits: str) -> int | float:
    # Beyond Python's own limit only the size matters: every field's ceiling is lower.
    return int(digits) if len(digits) <= sys.int_info.default_max_str_digits else math.inf


def _refuse_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is no JSON", "", 0)


def _field(scope: Scope, name: bytes) -> str | None:
    """The first header field of this name, in lower case. Starlette's Headers do the same four times as
    slowly, and each request with a body asks for several."""
    for known, value in scope["headers"]:
        if known == name:
            return str(value, "latin-1")
    return None


def _declared_length(request: Request) -> int | None:
    text = _field(request.scope, b"content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise BadRequest(
            f"Content-Length is {text[:40]!r}, expected decimal digits; send the body's size in bytes"
        )
    return int(text)


def require_json(request: Request) -> None:
    """UnsupportedMediaType unless the headers say that the body is JSON."""
    given = _field(request.scope, b"content-type") or ""
    if given != _USUAL and _JSON.fullmatch(given.partition(";")[0].strip().lower()) is None:
        raise UnsupportedMediaType(
            f"Content-Type is {given[:100] or 'missing'}, expected application/json; "
            "send the header Content-Type: application/json"
        )
    encoding = _field(request.scope, b"content-encoding") or ""
    if encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            f"Content-Encoding is {encoding[:100]}, expected none; send the body uncompressed"
        )
