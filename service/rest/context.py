"""A request as programs see it: ``ctx``. Bytes of HTTP in, one frozen value out, everything bounded.

Percent-decoding comes after splitting, so an encoded slash stays inside its segment and an encoded ``&``
inside its value. Credentials never become part of it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import orjson

from service.errors import BadRequest, FieldError, MalformedJson, UnsupportedMediaType
from service.http.json_text import check_depth, loads
from service.http.query_names import Query, add_value
from service.rest.prefer import Preferences, parse_prefer

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
DIALECTS = ("default", "json-server")
MAX_PATH = 8_000  # bytes, encoded
MAX_SEGMENTS = 64
MAX_SEGMENT = 500  # characters, decoded
MAX_PAIRS = 1_000
MAX_NAMES = 64  # different ones: each is a part of the shape, and stands in the program
MAX_NAME = 200  # bytes, decoded
MAX_VALUE = 8_000
MAX_HEADERS = 200
READS_BODY = frozenset(("POST", "PUT", "PATCH"))
FORM = "application/x-www-form-urlencoded"
# A program has no use for them, and what it replies may be read by others.
_SECRET_HEADERS = frozenset(
    ("authorization", "cookie", "proxy-authorization", "x-api-key", "x-session-id", "idempotency-key")
)
_JSON = re.compile(r"application/(?:json|[a-z0-9.!#$&^_-]{1,100}\+json)", re.ASCII)
_WIDE = re.compile(rb"[0-9]{19}")  # an integer that may not fit into 64 bits
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Parts:
    """A request as ASGI hands it over: ``path`` still percent-encoded, ``headers`` in lower case.

    ``dialect``: the session's own; a Prefer header wins over it."""

    method: str
    path: bytes
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""
    ip: str = ""
    session: str = ""
    dialect: str = "default"


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request. ``query``: name -> text, or list of texts when the name is repeated. ``media_type``: of a
    body that is read, without parameters, else "". ``preferences``: of the Prefer headers. ``dialect``: the
    one that counts."""

    method: str
    path: str
    segments: tuple[str, ...]
    query: Query
    headers: dict[str, str]
    body_json: Any
    client: str
    session: str
    media_type: str
    preferences: Preferences
    dialect: str

    @classmethod
    def from_parts(cls, parts: Parts) -> RequestContext:
        """BadRequest for what is malformed or over a limit, MalformedJson, UnsupportedMediaType."""
        headers = _headers(parts.headers)
        preferences = parse_prefer(headers.get("prefer", ""))
        dialect = preferences.dialect or parts.dialect
        if "prefer" in headers:
            headers["prefer"] = preferences.canonical()
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        method = parts.method.upper()
        reads_body = bool(parts.body) and method in READS_BODY
        if parts.body and method == "DELETE":
            _refuse("body", "is not read by DELETE", "send no body; name the records in path or query")
        return cls(
            method=method,
            path=parts.path.decode("latin-1"),
            segments=split_path(parts.path),
            query=split_query(parts.query),
            headers=headers,
            body_json=_body(parts.body, media_type, headers, dialect) if reads_body else None,
            client=parts.ip,
            session=parts.session,
            media_type=media_type if reads_body else "",
            preferences=preferences,
            dialect=dialect,
        )

    def as_ctx(self) -> dict[str, Any]:
        """The JSON object that a program finds in ``ctx``."""
        return {
            "method": self.method,
            "path": self.path,
            "segments": list(self.segments),
            "query": self.query,
            "headers": self.headers,
            "body_json": self.body_json,
            "client": {"ip": self.client},
            "session": {"id": self.session, "token": None},
        }

    def encoded(self) -> bytes:
        """``ctx`` as JSON text."""
        try:
            return orjson.dumps(self.as_ctx())
        except orjson.JSONEncodeError:  # an integer of more than 64 bits
            return json.dumps(self.as_ctx(), ensure_ascii=False).encode()


def split_path(path: bytes) -> tuple[str, ...]:
    """Decoded segments; one slash at the end means nothing. BadRequest for empty segments, dots, control
    characters, broken UTF-8, or too much of it."""
    if len(path) > MAX_PATH:
        _refuse("path", f"has {len(path)} bytes", "use a shorter path", limit=MAX_PATH)
    bare = path.removeprefix(b"/").removesuffix(b"/")
    if not bare and len(path) <= 1:
        return ()
    parts = bare.split(b"/", MAX_SEGMENTS)
    if len(parts) > MAX_SEGMENTS:
        _refuse("path", "has more segments than allowed", "use a shorter path", limit=MAX_SEGMENTS)
    return tuple(_segment(part) for part in parts)


def _segment(part: bytes) -> str:
    text = _decoded(part, "path")
    if len(text) > MAX_SEGMENT:
        _refuse("path", "has a segment that is too long", "use a shorter name or id", text, MAX_SEGMENT)
    if text in ("", ".", ".."):
        _refuse("path", "has an empty or dot segment", "write the path without //, . and ..", text)
    if _CONTROL.search(text):
        _refuse("path", "has a control character", "use printable names and ids", text)
    return text


def split_query(query: bytes) -> Query:
    """Decoded names and values in the order of first appearance. ``+`` is a blank; a name without ``=`` has
    an empty value. BadRequest as for paths."""
    if not query:
        return {}
    pairs = query.split(b"&", MAX_PAIRS)
    if len(pairs) > MAX_PAIRS:
        _refuse("query", "has more parameters than allowed", "send fewer", limit=MAX_PAIRS)
    found: Query = {}
    for pair in pairs:
        if not pair:
            continue
        raw_name, _, raw_value = pair.partition(b"=")
        add_value(found, _query_name(raw_name), _query_value(raw_value))
    if len(found) > MAX_NAMES:
        _refuse("query", f"has {len(found)} different parameters", "send fewer", limit=MAX_NAMES)
    return found


def _query_name(raw: bytes) -> str:
    name = _decoded(raw.replace(b"+", b" "), "query")
    if len(name.encode()) > MAX_NAME:
        _refuse("query", "has a parameter name that is too long", "use a shorter name", name, MAX_NAME)
    if _CONTROL.search(name):
        _refuse("query", "has a control character in a parameter name", "use a printable name", name)
    return name


def _query_value(raw: bytes) -> str:
    value = _decoded(raw.replace(b"+", b" "), "query")
    if len(value) > MAX_VALUE:
        _refuse("query", "has a value that is too long", "send less", value, MAX_VALUE)
    return value


def _decoded(raw: bytes, field: str) -> str:
    try:
        return (unquote_to_bytes(raw) if b"%" in raw else raw).decode()
    except UnicodeDecodeError:
        _refuse(field, "is not UTF-8 where it is decoded", "percent-encode UTF-8", raw.decode("latin-1"))


def _headers(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    if len(pairs) > MAX_HEADERS:
        _refuse("headers", f"are {len(pairs)}", "send fewer", limit=MAX_HEADERS)
    found: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        if name not in _SECRET_HEADERS:
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _body(body: bytes, media_type: str, headers: dict[str, str], dialect: str) -> Any:
    encoding = headers.get("content-encoding", "")
    if encoding.lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            f"Content-Encoding is {encoding[:100]}, expected none; send the body uncompressed"
        )
    if media_type == FORM and dialect == "json-server":
        return split_query(body)
    if not _JSON.fullmatch(media_type):
        raise UnsupportedMediaType(
            f"Content-Type is {media_type[:100] or 'missing'}, expected application/json; "
            "send JSON and the header Content-Type: application/json"
        )
    return _json(body)


def _json(body: bytes) -> Any:
    try:
        return _parse_wide(body) if _WIDE.search(body) else loads(body)
    except json.JSONDecodeError as error:  # orjson's errors are of this class too
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedJson(
            f"the body is not JSON: {error.msg} at {where}", line=error.lineno, column=error.colno
        ) from None  # the original holds the whole body


def _parse_wide(body: bytes) -> Any:
    """With integers of any size, of which orjson makes floats; what orjson refuses is refused here too."""
    check_depth(body)
    try:
        value = json.loads(body.decode(), parse_constant=_no_constant, parse_float=_finite)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair cannot be sent on
    except UnicodeError:
        raise json.JSONDecodeError("not UTF-8", "", 0) from None
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raise
        raise json.JSONDecodeError("a number with too many digits", "", 0) from None
    return value


def _no_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no JSON", "", 0)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise json.JSONDecodeError("a number beyond 1e308", "", 0)
    return value


def _refuse(
    field: str, message: str, remedy: str, value: object = None, limit: int | None = None
) -> NoReturn:
    given = {} if value is None else {"value": value}
    bound = {} if limit is None else {"limit": limit}
    said = message if limit is None else f"{message} (the limit is {limit})"
    error = FieldError(field, said, remedy, **given, **bound)
    raise BadRequest(str(error), extra={"errors": [error.as_json()]})
