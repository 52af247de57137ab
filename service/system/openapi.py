"""The OpenAPI 3.1 document of this server, made from the tables that parse requests and shape errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from service import __version__
from service.errors import KINDS, MEDIA_TYPE
from service.settings import Settings
from service.system.openapi_functions import function_components, function_paths
from service.system.openapi_improvements import improvement_paths
from service.system.openapi_keys import key_paths
from service.system.openapi_programs import program_paths, program_schemas
from service.system.openapi_resources import resource_paths
from service.system.openapi_runs import run_paths


def document(settings: Settings) -> dict[str, Any]:
    """The whole document, with this server's ceilings in it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "LARS",
            "version": __version__,
            "description": "Runs unreviewed Python in jailed processes.",
        },
        "paths": {
            **program_paths(settings),
            "/health": {"get": _get("The process answers.")},
            "/healthz": {"get": _get("The process answers.")},
            "/readyz": {"get": _get("A worker has run a program.", (503,))},
            "/capabilities": {"get": _get("Layers, limits, Python and packages.")},
            "/openapi.json": {"get": _live("This document.", "application/json")},
            "/docs": {"get": _live("This document in Swagger UI.", "text/html")},
            "/docs/assets/{digest}/{name}": {"get": _asset()},
            "/redoc": {"get": _live("This document in Redoc.", "text/html")},
            **function_paths(),
            **improvement_paths(),
            **run_paths(),
            "/metrics": {"get": _metrics()},
            **key_paths(),
            **resource_paths(),
        },
        "components": {
            "schemas": {"Problem": _problem(), **program_schemas()},
            **function_components(),
        },
    }


def _get(summary: str, errors: Iterable[int] = ()) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {"200": _response(summary, {"type": "object"}), **_problems(errors)},
    }


def _live(summary: str, media_type: str) -> dict[str, Any]:
    schema = {"type": "object" if media_type == "application/json" else "string"}
    unchanged = {"description": "If-None-Match names what it is now."}
    return {
        "summary": summary,
        "responses": {"200": _response(summary, schema, media_type), "304": unchanged},
    }


def _asset() -> dict[str, Any]:
    text = {"type": "string"}
    summary = "A file of those pages."
    found = _response(summary, text, "text/javascript")
    found["content"]["text/css"] = {"schema": text}
    return {
        "summary": summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": text} for name in ("digest", "name")
        ],
        "responses": {
            "200": found,
            "304": {"description": "If-None-Match names what it is."},
            **_problems((404,)),
        },
    }


def _metrics() -> dict[str, Any]:
    content = {
        kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/openmetrics-text")
    }
    ok = {"description": "Text that Prometheus reads.", "content": content}
    return {"summary": "What was counted.", "responses": {"200": ok, **_problems((503,))}}


def _object(properties: dict[str, Any], required: Iterable[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _response(
    description: str, schema: dict[str, Any], media_type: str = "application/json"
) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _problems(statuses: Iterable[int]) -> dict[str, Any]:
    reference = {"$ref": "#/components/schemas/Problem"}
    return {str(status): _response(_codes(status), reference, MEDIA_TYPE) for status in statuses}


def _codes(status: int) -> str:
    return "code: " + ", ".join(kind.code for kind in KINDS.values() if kind.status == status)


def _problem() -> dict[str, Any]:
    members = {name: {"type": "string"} for name in ("type", "title", "detail", "code", "error")}
    return _object({**members, "status": {"type": "integer"}}, (*members, "status"))
