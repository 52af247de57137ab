"""The part of the OpenAPI document that is about functions in general: how they are loaded, listed, called
by hash and name, and managed. What each one takes at its own path, ``service.functions.openapi`` says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from service.errors import KINDS, MEDIA_TYPE
from service.functions.openapi import PROBLEMS, PROBLEMS_OF_BODIES, PROBLEMS_OF_KEYS, problem_reference
from service.functions.values import Method

Json = dict[str, Any]
_JSON = "application/json"
_PYTHON = "text/x-python"
_HASH: Json = {"type": "string", "pattern": "^[0-9A-Fa-f]{40,64}$"}
_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer", "minimum": 1}
_WEIGHT: Json = {"type": "integer", "minimum": 1, "maximum": 99, "description": "Percent of the calls."}
_YES_OR_NO: Json = {"enum": ["true", "false"]}
_OBJECT: Json = {"type": "object"}
_LOAD: Json = {
    "visible_pixel_hash": _HASH,
    "function_name": _TEXT,
    "module_name": {**_TEXT, "description": "The file in the contract's directory, without .py."},
    "endpoint_path": {**_TEXT, "pattern": "^/", "description": "The path that is the function's own."},
    "method": {"enum": list(get_args(Method)), "default": "GET"},
    "canary_weight": {**_WEIGHT, "type": ["integer", "null"]},
}


def function_paths() -> Json:
    """For ``paths``."""
    read, change = (400, 404, 503), (400, 404, 409, 412, 413, 415, 422, 503)
    return {
        "/load-function": {
            "post": _operation(
                "loadFunction",
                "Serve a function of an uploaded module.",
                (*change, 403, 500, 502, 504),
                _body(_LOAD, ["visible_pixel_hash", "function_name", "module_name", "endpoint_path"]),
            )
        },
        "/unload-function/{contract}/{name}": _below(
            {"delete": _operation("unloadFunction", "Serve it no more; its versions are kept.", read)}
        ),
        "/list-functions": {
            "get": {
                "parameters": [
                    *_page(1000),
                    _query("stats", _YES_OR_NO, "With the figures of each version."),
                ],
                **_operation("listFunctions", "The functions that are served.", (400, 503)),
            }
        },
        **{
            path: _below(_calls(path)) for path in ("/function/{contract}/{name}", "/agent/{contract}/{name}")
        },
        "/uploads/{contract}/{file}": {
            "parameters": [_path("contract", _HASH), _path("file", {**_TEXT, "pattern": r"^\w+\.py$"})],
            "put": _upload(),
        },
        **{path: _below(item) for path, item in _administration(read, change).items()},
    }


def function_components() -> Json:
    """For ``components``: what every function's operation refers to."""
    schema = {"$ref": "#/components/schemas/Problem"}
    statuses = sorted({*PROBLEMS, *PROBLEMS_OF_BODIES, *PROBLEMS_OF_KEYS})
    return {
        "responses": {
            f"problem.{status}": {
                "description": "code: " + ", ".join(k.code for k in KINDS.values() if k.status == status),
                "content": {MEDIA_TYPE: {"schema": schema}},
            }
            for status in statuses
        },
        "headers": {"X-Function-Version": {"description": "The version that was called.", "schema": _NUMBER}},
    }


def _administration(read: tuple[int, ...], change: tuple[int, ...]) -> Json:
    one, split = "/_/functions/{contract}/{name}", {"version": _NUMBER, "weight": _WEIGHT}
    source = _operation("showSource", "The text of the module of one version.", read)
    source["responses"]["200"] = _answer(_TEXT, _PYTHON)
    versions = _operation("listVersions", "Its versions, the newest first.", read)
    back = _body({"to": {**_NUMBER, "type": ["integer", "null"]}}, [])
    return {
        one: {"get": _operation("showFunction", "One function.", read)},
        f"{one}/versions": {"get": {"parameters": _page(1000), **versions}},
        f"{one}/versions/{{version}}/source": {"get": {"parameters": [_path("version", _NUMBER)], **source}},
        f"{one}/rollback": {
            "post": _operation("rollBackFunction", "Make an older version the current one.", change, back)
        },
        f"{one}/canary": {
            "put": _operation(
                "setCanary", "Give another version a share of the calls.", change, _body(split, list(split))
            ),
            "delete": _operation("endCanary", "The current version gets all calls.", read),
        },
    }


def _upload() -> Json:
    body = {"required": True, "content": {_PYTHON: {"schema": _TEXT}}}
    found = _operation(
        "uploadModule", "Put a module where it can be loaded from.", (400, 403, 409, 413, 422, 503), body
    )
    found["responses"]["201"] = _answer(_OBJECT, _JSON)
    return found


def _calls(path: str) -> Json:
    """The same at both paths; names differ."""
    kind = path.split("/")[1].capitalize()
    free: Json = {
        "name": "arguments",
        "in": "query",
        "description": "Each argument by its name.",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": _TEXT},
    }
    version = _query("version", _NUMBER, "Of this version, instead of the current one.")
    body = {
        "required": False,
        "content": {_JSON: {"schema": {**_OBJECT, "description": "Arguments by name."}}},
    }
    problems = {str(status): problem_reference(status) for status in PROBLEMS}
    of_bodies = {str(status): problem_reference(status) for status in PROBLEMS_OF_BODIES}
    answer = {
        "description": "What it returned.",
        "headers": {"X-Function-Version": {"$ref": "#/components/headers/X-Function-Version"}},
        "content": {_JSON: {"schema": {}}},
    }
    return {
        "get": {
            "operationId": f"call{kind}",
            "summary": "Call a function with a query string.",
            "parameters": [version, free],
            "responses": {"200": answer, **problems},
        },
        "post": {
            "operationId": f"post{kind}",
            "summary": "Call a function with a JSON object, a query string, or both.",
            "parameters": [version, free],
            "requestBody": body,
            "responses": {"200": answer, **of_bodies, **problems},
        },
    }


def _operation(name: str, summary: str, errors: Iterable[int], body: Json | None = None) -> Json:
    problem = {"$ref": "#/components/schemas/Problem"}
    problems = {str(status): _answer(problem, MEDIA_TYPE) for status in errors}
    own = {} if body is None else {"requestBody": body}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _answer(_OBJECT, _JSON), **problems},
        **own,
    }


def _answer(schema: Json, media_type: str) -> Json:
    return {"description": "See docs/functions.md.", "content": {media_type: {"schema": schema}}}


def _below(item: Json) -> Json:
    return {"parameters": [_path("contract", _HASH), _path("name", _TEXT)], **item}


def _path(name: str, schema: Json) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: Json, said: str) -> Json:
    return {"name": name, "in": "query", "required": False, "description": said, "schema": schema}


def _page(most: int) -> list[Json]:
    limit = {"type": "integer", "minimum": 1, "maximum": most}
    return [_query("limit", limit, "At most so many."), _query("after", _TEXT, "The page before says it.")]


def _body(properties: Json, needed: list[str]) -> Json:
    schema = {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
    return {"required": bool(needed), "content": {_JSON: {"schema": schema}}}
