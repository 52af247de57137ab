"""Calling a function, by its name and by its own path: parse, one call, response."""

from __future__ import annotations

import time
from typing import cast
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp

from sandbox_runtime.domain import Contract
from service.errors import BadRequest, NotFound
from service.functions.calling import Called, call
from service.functions.names import read_hash
from service.functions.values import Function
from service.http.body import has_body, read_body, require_json
from service.http.json_answer import JsonText
from service.http.query_names import Query, add_value
from service.http.record import record_of
from service.state import state_of
from service.telemetry.spans import Span

VERSION_HEADER = b"x-function-version"
_VERSION = "version"
_MAX_QUERY = 1000  # names


async def call_named(request: Request) -> ASGIApp:
    """GET and POST /function/HASH/NAME and /agent/HASH/NAME."""
    contract, name = request.path_params["contract"], request.path_params["name"]
    function = state_of(request).functions.table.named(read_hash(contract) or "", name)
    if function is None:
        raise NotFound(
            f"no function {name[:100]} of {contract[:64]} is loaded; GET /list-functions has those that are"
        )
    return await _answer(request, function)


async def call_own(request: Request) -> ASGIApp:
    """The method and the endpoint_path of a function, which the route has found."""
    return await _answer(request, cast(Function, request.scope["function"]))


async def _answer(request: Request, function: Function) -> ASGIApp:
    began = time.monotonic()
    functions = state_of(request).functions
    record = record_of(request.scope)
    record.domain = Contract.kind
    query = read_query(request.scope["query_string"])
    version = _version(request, function, query)
    body = None
    if request.method not in ("GET", "HEAD"):
        body = await _body(request, state_of(request).settings.max_body_bytes)
    called = Called(function, query or None, body, version)
    with Span("function call"):
        returned = await call(functions, called, began + functions.seconds, record.spent)
    record.run_ms = returned.run * 1000
    return JsonText(returned.value, (VERSION_HEADER, b"%d" % returned.version))


async def _body(request: Request, limit: int) -> bytes | None:
    if not has_body(request):
        return None
    require_json(request)
    return await read_body(request, limit) or None


def read_query(raw: bytes) -> Query:
    """A name that comes several times has a list. BadRequest for what is not UTF-8, or too much."""
    if not raw:
        return {}
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_QUERY
        )
    except ValueError as error:  # a UnicodeDecodeError is one
        raise BadRequest(
            f"the query string cannot be read: {error}; "
            f"send percent-encoded UTF-8, at most {_MAX_QUERY} names"
        ) from error
    query: Query = {}
    for name, text in pairs:
        add_value(query, name, text)
    return query


def _version(request: Request, function: Function, query: Query) -> int | None:
    """The version that the caller asks for by X-Function-Version, or by ``version`` in the query string,
    which it is not when the function has a parameter of that name. BadRequest."""
    given: str | list[str] | None = None
    for name, value in request.scope["headers"]:
        if name == VERSION_HEADER:
            given = value.decode("latin-1")
    if given is None and _VERSION in query and not _takes_version(function):
        given = query.pop(_VERSION)
    if given is None:
        return None
    if not (isinstance(given, str) and given.isascii() and given.isdecimal() and 0 < len(given) < 10):
        raise BadRequest(f"version is {str(given)[:40]!r}, expected the number of one, counted from 1")
    return int(given)


def _takes_version(function: Function) -> bool:
    parameters = orjson.loads(function.signature).get("parameters", [])
    return any(parameter.get("name") == _VERSION for parameter in parameters)
