"""What the OpenAPI 3.1 document says of one function: the operation at its endpoint_path. Pure.

Names, texts, defaults and schemas are the module's own. All are bounded, none is taken for markup, and the
schemas can refer to none but their own (``service.functions.openapi_schemas``). What is too large for the
document is there without its arguments, with ``x-cut``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import orjson

from sandbox_runtime.function import Parameter, Signature
from sandbox_runtime.wire import WireError
from service.functions.docstrings import Docstring, plain, read_docstring
from service.functions.openapi_examples import example_of
from service.functions.openapi_schemas import Json, Schemas, resolved
from service.functions.values import Function, FunctionSpec, Method
from service.rest.openapi_learned import component

MAX_SIGNATURE: Final = 64 << 10  # bytes of JSON that are looked at
MAX_OPERATION: Final = 32 << 10  # bytes of JSON, schemas included
_JSON: Final = "application/json"
_SHORT_HASH: Final = 12
_OF_QUERY: Final = frozenset(("GET", "DELETE"))  # a body of theirs is lost on many ways (RFC 9110, 9.3)
_SCALARS: Final = frozenset(("boolean", "integer", "number", "string"))
PROBLEMS: Final = (404, 422, 500, 503, 504)
PROBLEMS_OF_BODIES: Final = (400, 413, 415)
PROBLEMS_OF_KEYS: Final = (400, 401, 403, 429)


@dataclass(frozen=True, slots=True)
class Described:
    """One function's part of the document as JSON text that need not be written again: its member of
    ``paths``, and its members of ``components.schemas``, each with a comma before it. ``digest``: of both."""

    path: bytes
    schemas: bytes
    digest: bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.path) + len(self.schemas)


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of a function, cleaned. ``parameters``: each with its schema; ``is_cut``: they are left
    out."""

    parameters: list[tuple[Parameter, Json]]
    returns: Json
    doc: Docstring
    schemas: Schemas
    is_cut: bool = False


def describe(function: Function, security: list[Json] | None = None) -> Described:
    """``security``: what a call needs; None: nothing."""
    try:
        found = _described(function, _read(function), security)
    except (WireError, ValueError, RecursionError):  # ValueError: what is no JSON, and what JSON cannot hold
        return describe_briefly(function, security)
    room = MAX_OPERATION * len(function.spec.methods)
    return found if found.size <= room else describe_briefly(function, security)


def describe_briefly(function: Function, security: list[Json] | None = None) -> Described:
    """The same without a word of the module's."""
    told = _Told([], {}, Docstring("", "", {}), Schemas(""), is_cut=True)
    return _described(function, told, security)


def _described(function: Function, told: _Told, security: list[Json] | None) -> Described:
    item = {
        method.lower(): {**_operation(function.spec, method, told), **_answers(method, told, security)}
        for method in function.spec.methods
    }
    path = _members({function.spec.path: item})
    schemas = _members(told.schemas.components) if told.schemas.components else b""
    return Described(path, schemas, blake2b(b"%b\n%b" % (path, schemas), digest_size=16).digest())


def _members(values: Json) -> bytes:
    return b"," + orjson.dumps(values)[1:-1]


def _read(function: Function) -> _Told:
    if len(function.signature) > MAX_SIGNATURE:
        raise ValueError("the signature is too large")
    signature = Signature.from_wire(orjson.loads(function.signature))
    schemas = Schemas(f"{function.spec.hash}.{component(function.spec.name)}")
    by_name = {parameter.name: parameter for parameter in signature.parameters}
    return _Told(
        [(parameter, schemas.of(parameter.schema)) for parameter in by_name.values()],
        schemas.of(signature.returns),
        read_docstring(signature.doc, by_name),
        schemas,
    )


def _operation(spec: FunctionSpec, method: Method, told: _Told) -> Json:
    doc = told.doc
    short = spec.hash[:_SHORT_HASH]
    where = f"`{spec.name}` of `{spec.hash}`"
    asked = _query(told) if method in _OF_QUERY else _body(told)
    other = "" if method == spec.method else f"_{method.lower()}"
    return {
        "tags": [short] if spec.improvement is None else [f"improvement: {spec.improvement}", short],
        "summary": doc.summary or f"{plain(spec.name)} of {short}",
        "description": f"{doc.description}\n\n{where}".lstrip(),
        "operationId": f"{spec.name}_{spec.hash}{other}",
        **asked,
        **({"x-cut": True} if told.is_cut else {}),
    }


def _answers(method: Method, told: _Told, security: list[Json] | None) -> Json:
    example = example_of(told.returns, told.schemas.components) if told.returns else {}
    own: Json = {
        "description": "What it returned.",
        "headers": {"X-Function-Version": {"$ref": "#/components/headers/X-Function-Version"}},
        "content": {_JSON: {"schema": told.returns, **example}},
    }
    statuses = {
        *PROBLEMS,
        *(() if method in _OF_QUERY else PROBLEMS_OF_BODIES),
        *(() if security is None else PROBLEMS_OF_KEYS),
    }
    responses = {"200": own, **{str(status): problem_reference(status) for status in sorted(statuses)}}
    return {"responses": responses, **({} if security is None else {"security": security})}


def problem_reference(status: int) -> Json:
    """To what ``service.system.openapi_functions`` puts into the components."""
    return {"$ref": f"#/components/responses/problem.{status}"}


def _query(told: _Told) -> Json:
    found = [_query_parameter(parameter, schema, told) for parameter, schema in told.parameters]
    return {"parameters": found} if found else {}


def _query_parameter(parameter: Parameter, schema: Json, told: _Told) -> Json:
    """A sequence is its name repeated; what is neither that nor one value is written as JSON, and what takes
    all other names is an object whose members are parameters (OAS 3.1, style ``form``, exploded)."""
    found: Json = {"name": parameter.name, "in": "query"}
    said = told.doc.parameters.get(parameter.name)
    found |= {"description": said} if said else {}
    found |= {"required": True} if parameter.required else {}
    schema = _without_null(schema)
    components = told.schemas.components
    example = example_of(schema, components)
    if parameter.kind == "varkwargs":
        return {**found, "style": "form", "explode": True, "schema": schema}
    if _is_repeated(schema, components):
        return {**found, "style": "form", "explode": True, "schema": schema, **example}
    if _is_scalar(schema, components):
        return {**found, "schema": schema or {"type": "string"}, **example}
    return {**found, "content": {_JSON: {"schema": schema, **example}}}


def _without_null(schema: Json) -> Json:
    """A query string leaves out what is null."""
    members = schema.get("anyOf")
    if members is None or {"type": "null"} not in members:
        return schema
    others = [member for member in members if member != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if rest.get("default", ...) is None:
        del rest["default"]
    if len(others) == 1 and isinstance(others[0], dict):
        return {**others[0], **rest}
    return {"anyOf": others, **rest} if others else schema


def _is_scalar(schema: Any, components: Mapping[str, Json]) -> bool:
    if not isinstance(schema, dict):
        return False
    schema = resolved(schema, components)
    if "anyOf" in schema:
        return all(_is_scalar(member, components) for member in schema["anyOf"])
    kinds = schema.get("type", [])
    return set([kinds] if isinstance(kinds, str) else kinds) <= _SCALARS


def _is_repeated(schema: Json, components: Mapping[str, Json]) -> bool:
    schema = resolved(schema, components)
    items = [
        *schema.get("prefixItems", ()),
        *([schema["items"]] if isinstance(schema.get("items"), dict) else ()),
    ]
    return schema.get("type") == "array" and all(_is_scalar(item, components) for item in items)


def _body(told: _Told) -> Json:
    """The arguments as one object. They may come in the query string as well, or instead."""
    if not told.parameters:
        return {}
    named = [(parameter, schema) for parameter, schema in told.parameters if parameter.kind != "varkwargs"]
    others = [schema for parameter, schema in told.parameters if parameter.kind == "varkwargs"]
    required = [parameter.name for parameter, _ in named if parameter.required]
    schema: Json = {
        "type": "object",
        "properties": {parameter.name: _said(parameter, schema, told) for parameter, schema in named},
        "required": required,
        "additionalProperties": others[0].get("additionalProperties", True) if others else False,
    }
    example = _whole_example(named, told)
    return {"requestBody": {"required": bool(required), "content": {_JSON: {"schema": schema, **example}}}}


def _said(parameter: Parameter, schema: Json, told: _Told) -> Json:
    said = told.doc.parameters.get(parameter.name)
    return {**schema, "description": said} if said else schema


def _whole_example(named: Iterable[tuple[Parameter, Json]], told: _Told) -> Json:
    members: Json = {}
    for parameter, schema in named:
        found = example_of(schema, told.schemas.components)
        if found:
            members[parameter.name] = found["example"]
        elif parameter.required:
            return {}
    return {"example": members}
