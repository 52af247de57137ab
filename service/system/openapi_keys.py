"""The part of the OpenAPI document that is about the administration of keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from service.access.key_request import POLICIES
from service.access.key_text import ENVIRONMENTS
from service.access.scopes import Scope
from service.control.key_rules import MAX_DESCRIPTION, MAX_NAME, State
from service.errors import MEDIA_TYPE

Json = dict[str, Any]
_JSON = "application/json"
_TEXT: Json = {"type": "string"}
_TIME: Json = {"type": ["string", "null"], "format": "date-time"}
_RATES: Json = {"type": "array", "items": _TEXT, "examples": [["100/minute", "concurrent=4"]]}
_SCOPES: Json = {"type": "array", "items": {"enum": [scope.value for scope in Scope]}}
_ASKED: Json = {
    "name": {**_TEXT, "minLength": 1, "maxLength": MAX_NAME},
    "env": {"enum": list(ENVIRONMENTS)},
    "description": {"type": ["string", "null"], "maxLength": MAX_DESCRIPTION},
    "scopes": {"type": ["array", "null"], "items": _TEXT, "minItems": 1},
    "rates": {**_RATES, "type": ["array", "null"]},
    "policy": {"enum": [*POLICIES, None]},
    "expires": {"type": ["string", "null"], "description": "A time, or a duration such as 90d."},
}
_FIGURES: Json = {
    "type": "object",
    "properties": {
        **{name: {"type": "integer"} for name in ("requests", "failures", "cpu_ms", "tokens")},
        "last_used": _TIME,
    },
}
_KEY: Json = {
    **dict.fromkeys(("id", "name", "description", "env"), _TEXT),
    "scopes": _SCOPES,
    "rates": _RATES,
    "policy": {"enum": [*POLICIES, None]},
    "state": {"enum": list(get_args(State))},
    **dict.fromkeys(("created", "expires", "rotated", "previous_until", "revoked"), _TIME),
    "usage": _FIGURES,
}


def key_paths() -> Json:
    """For ``paths``."""
    one = [{"name": "key", "in": "path", "required": True, "schema": _TEXT, "description": "The key's id."}]
    shown = _answer("The key.", _object(_KEY))
    made = _answer("The key, with its text: this once.", _object({**_KEY, "key": _TEXT}))
    overlap = {"overlap": {"type": ["string", "number", "null"], "description": "Seconds, or such as 24h."}}
    return {
        "/_/keys": {
            "get": {
                "parameters": [
                    _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
                    _query("after", _TEXT),
                ],
                **_operation("listKeys", "A page of keys.", {"200": _answer("Keys.", _page())}, (400, 503)),
            },
            "post": _operation(
                "makeKey",
                "Make a key.",
                {"201": made},
                (400, 413, 415, 422, 503),
                _body(_ASKED, ["name", "env"]),
            ),
        },
        "/_/keys/{key}/rotate": {
            "parameters": one,
            "post": _operation(
                "rotateKey",
                "Give it another secret.",
                {"200": made},
                (400, 404, 409, 413, 415, 422, 503),
                _body(overlap, []),
            ),
        },
        "/_/keys/{key}/usage": {
            "parameters": one,
            "get": _operation(
                "showUsage", "What it has used.", {"200": _answer("By the day.", _usage())}, (404, 503)
            ),
        },
        "/_/keys/{key}": {
            "parameters": one,
            "get": _operation("showKey", "One key.", {"200": shown}, (404, 503)),
            "delete": _operation("revokeKey", "End it for good.", {"200": shown}, (404, 503)),
        },
    }


def _page() -> Json:
    return _object({"keys": {"type": "array", "items": _object(_KEY)}, "next": {"type": ["string", "null"]}})


def _usage() -> Json:
    return _object({"id": _TEXT, "days": {"type": "array", "items": _FIGURES}, "total": _FIGURES})


def _operation(
    name: str, summary: str, replies: Json, errors: Iterable[int], body: Json | None = None
) -> Json:
    problem = {"$ref": "#/components/schemas/Problem"}
    responses = {str(status): _answer("See docs/keys.md.", problem, MEDIA_TYPE) for status in errors}
    own = {} if body is None else {"requestBody": body}
    return {"operationId": name, "summary": summary, "responses": {**replies, **responses}, **own}


def _answer(description: str, schema: Json, media_type: str = _JSON) -> Json:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _body(properties: Json, needed: list[str]) -> Json:
    schema = {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
    return {"required": bool(needed), "content": {_JSON: {"schema": schema}}}


def _query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": schema}
