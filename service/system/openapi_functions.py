"""The part of the OpenAPI document that is about functions in general: how they are loaded, listed, called
by hash and name, and managed. What each one takes at its own path, ``service.functions.openapi`` says."""

from __future__ import annotations

from typing import get_args

from service.errors import KINDS, MEDIA_TYPE
from service.functions.openapi import PROBLEMS, PROBLEMS_OF_BODIES, PROBLEMS_OF_KEYS, problem_reference
from service.functions.values import Method
from service.system.openapi_parts import (
    HASH,
    JSON,
    NUMBER,
    OBJECT,
    TEXT,
    WEIGHT,
    Json,
    answered,
    below,
    in_path,
    in_query,
    json_body,
    operation,
    paging,
)

_PYTHON = "text/x-python"
_YES_OR_NO: Json = {"enum": ["true", "false"]}
_LOAD: Json = {
    "visible_pixel_hash": HASH,
    "function_name": TEXT,
    "module_name": {**TEXT, "description": "The file in the contract's directory, without .py."},
    "endpoint_path": {**TEXT, "pattern": "^/", "description": "The path that is the function's own."},
    "method": {"enum": list(get_args(Method)), "default": "GET"},
    "canary_weight": {**WEIGHT, "type": ["integer", "null"]},
}


def function_paths() -> Json:
    """For ``paths``."""
    read, change = (400, 404, 503), (400, 404, 409, 412, 413, 415, 422, 503)
    return {
        "/load-function": {
            "post": operation(
                "loadFunction",
                "Serve a function of an uploaded module.",
                (*change, 403, 500, 502, 504),
                json_body(_LOAD, ["visible_pixel_hash", "function_name", "module_name", "endpoint_path"]),
            )
        },
        "/unload-function/{contract}/{name}": below(
            {"delete": operation("unloadFunction", "Serve it no more; its versions are kept.", read)}
        ),
        "/list-functions": {
            "get": {
                "parameters": [
                    *paging(1000),
                    in_query("stats", _YES_OR_NO, "With the figures of each version."),
                ],
                **operation("listFunctions", "The functions that are served.", (400, 503)),
            }
        },
        **{path: below(calls(path)) for path in ("/function/{contract}/{name}", "/agent/{contract}/{name}")},
        "/uploads/{contract}/{file}": {
            "parameters": [in_path("contract", HASH), in_path("file", {**TEXT, "pattern": r"^\w+\.py$"})],
            "put": _upload(),
        },
        **{path: below(item) for path, item in _administration(read, change).items()},
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
        "headers": {"X-Function-Version": {"description": "The version that was called.", "schema": NUMBER}},
    }


def _administration(read: tuple[int, ...], change: tuple[int, ...]) -> Json:
    one, split = "/_/functions/{contract}/{name}", {"version": NUMBER, "weight": WEIGHT}
    source = operation("showSource", "The text of the module of one version.", read)
    source["responses"]["200"] = answered(TEXT, _PYTHON)
    versions = operation("listVersions", "Its versions, the newest first.", read)
    back = json_body({"to": {**NUMBER, "type": ["integer", "null"]}}, [])
    return {
        one: {"get": operation("showFunction", "One function.", read)},
        f"{one}/versions": {"get": {"parameters": paging(1000), **versions}},
        f"{one}/versions/{{version}}/source": {"get": {"parameters": [in_path("version", NUMBER)], **source}},
        f"{one}/rollback": {
            "post": operation("rollBackFunction", "Make an older version the current one.", change, back)
        },
        f"{one}/canary": {
            "put": operation(
                "setCanary",
                "Give another version a share of the calls.",
                change,
                json_body(split, list(split)),
            ),
            "delete": operation("endCanary", "The current version gets all calls.", read),
        },
    }


def _upload() -> Json:
    body = {"required": True, "content": {_PYTHON: {"schema": TEXT}}}
    found = operation(
        "uploadModule", "Put a module where it can be loaded from.", (400, 403, 409, 413, 422, 503), body
    )
    found["responses"]["201"] = answered(OBJECT, JSON)
    return found


def calls(path: str) -> Json:
    """Operations that are the same at each of these paths; names differ."""
    kind = path.split("/")[1].capitalize()
    free: Json = {
        "name": "arguments",
        "in": "query",
        "description": "Each argument by its name.",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": TEXT},
    }
    version = in_query("version", NUMBER, "Of this version, instead of the current one.")
    body = {
        "required": False,
        "content": {JSON: {"schema": {**OBJECT, "description": "Arguments by name."}}},
    }
    problems = {str(status): problem_reference(status) for status in PROBLEMS}
    of_bodies = {str(status): problem_reference(status) for status in PROBLEMS_OF_BODIES}
    answer = {
        "description": "What it returned.",
        "headers": {"X-Function-Version": {"$ref": "#/components/headers/X-Function-Version"}},
        "content": {JSON: {"schema": {}}},
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
