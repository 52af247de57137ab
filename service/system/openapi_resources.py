"""The part of the OpenAPI document that is about sessions: their administration, plans, and what any
collection answers. What a certain session's collections have come to be, ``service.rest.openapi`` says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from service.errors import MEDIA_TYPE
from service.rest.context import DIALECTS, MAX_SEGMENT
from service.rest.identity import HEADER
from service.rest.shape import MAX_COLLECTION

Json = dict[str, Any]
_JSON = "application/json"
_TAR = "application/x-tar"
_OBJECT: Json = {"type": "object"}
_SESSION = {"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,128}$"}


def resource_paths() -> Json:
    """For ``paths``."""
    session = [_parameter("session", "path", _SESSION, "The session's id, of this caller.")]
    own = [
        _parameter(HEADER, "header", _SESSION, "The session."),
        _parameter("collection", "path", _collection(), "Any name makes a collection with its first record."),
    ]
    record = [_parameter("id", "path", {"type": "string", "pattern": _id_pattern()}, "The record's id.")]
    return {
        "/_/plans": {"get": _operation("listPlans", "Plans in use.", {"200": _object()})},
        "/_/plans/{plan}": {
            "parameters": [_parameter("plan", "path", {"type": "string", "minLength": 1}, "X-Plan-Id.")],
            "get": _operation("showPlan", "One plan.", {"200": _object()}, (404,)),
        },
        "/_/sessions/{session}": {"parameters": session, **_session_operations()},
        "/_/sessions/{session}/fork": {
            "parameters": session,
            "post": _operation(
                "forkSession",
                "A copy under a new id.",
                {"201": _object()},
                (400, 404, 409, 413, 415, 422),
                _body({_JSON: _exactly({"id": _SESSION})}, required=False),
            ),
        },
        "/_/sessions/{session}/export": {
            "parameters": session,
            "get": _operation("exportSession", "All data as tar.", {"200": _content(_TAR, {})}, (400, 404)),
        },
        "/_/sessions/{session}/import": {
            "parameters": [
                *session,
                _parameter("replace", "query", {"enum": ["true", "false"]}, "Drop first."),
            ],
            "post": _operation(
                "importSession",
                "A tar of the export, or one object {collection: [records]}.",
                {"200": _object()},
                (400, 409, 413, 415, 422, 507),
                _body({_JSON: _records(), _TAR: {}}),
            ),
        },
        "/{collection}": {"parameters": own, **_collection_operations()},
        "/{collection}/{id}": {"parameters": [*own, *record], **_record_operations()},
    }


def _session_operations() -> Json:
    dialect = _exactly({"dialect": {"enum": list(DIALECTS)}})
    return {
        "get": _operation("showSession", "What it holds.", {"200": _object()}, (400, 404)),
        "patch": _operation(
            "configureSession",
            "Its options.",
            {"200": _object()},
            (400, 413, 415, 422),
            _body({_JSON: dialect}),
        ),
        "delete": _operation(
            "deleteSession", "All of its data go.", {"204": {"description": "Gone."}}, (400, 404)
        ),
    }


def _collection_operations() -> Json:
    several = _content(_JSON, {"type": "array", "items": _OBJECT})
    one_or_more = {"anyOf": [_OBJECT, {"type": "array", "items": _OBJECT}]}
    return {
        "get": _operation("listRecords", "A page of records.", {"200": _object()}, (400, 412)),
        "post": _operation(
            "createRecords",
            "One record, or several at once.",
            {"201": _content(_JSON, one_or_more)},
            (400, 409, 413, 415, 422, 507),
            _body({_JSON: one_or_more}),
        ),
        "patch": {
            "parameters": [_all_of_them()],
            **_operation(
                "changeRecords",
                "Other members of all that pass the filters.",
                {"200": several},
                (400, 409, 412, 413, 415, 422, 507),
                _body({_JSON: _OBJECT}),
            ),
        },
        "delete": {
            "parameters": [_all_of_them()],
            **_operation("deleteRecords", "All that pass the filters.", {"200": _object()}, (400, 412)),
        },
    }


def _all_of_them() -> Json:
    said = "Needed, unless Prefer has max-affected."
    return {**_parameter("all", "query", {"enum": ["true"]}, said), "required": True}


def _record_operations() -> Json:
    changing = (400, 404, 409, 412, 413, 415, 422, 507)
    body = _body({_JSON: _OBJECT})
    return {
        "get": _operation("getRecord", "The record.", {"200": _object()}, (400, 404, 412)),
        "put": _operation("replaceRecord", "Another content.", {"200": _object()}, changing, body),
        "patch": _operation("changeRecord", "Other members.", {"200": _object()}, changing, body),
        "delete": _operation("deleteRecord", "Gone.", {"204": {"description": "Gone."}}, (400, 404, 412)),
    }


def _operation(
    name: str, summary: str, replies: Json, errors: Iterable[int] = (), body: Json | None = None
) -> Json:
    problem = _content(MEDIA_TYPE, {"$ref": "#/components/schemas/Problem"})
    responses = {**replies, **{str(status): problem for status in errors}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": responses,
        **({} if body is None else {"requestBody": body}),
    }


def _parameter(name: str, place: str, schema: Json, said: str) -> Json:
    required = place == "path" or name == HEADER
    return {"name": name, "in": place, "required": required, "description": said, "schema": schema}


def _collection() -> Json:
    pattern = rf"^[A-Za-z0-9][A-Za-z0-9.~-]{{0,{MAX_COLLECTION - 1}}}$"
    return {"type": "string", "pattern": pattern}


def _id_pattern() -> str:
    return rf"^[A-Za-z0-9][A-Za-z0-9_~-]{{0,{MAX_SEGMENT - 1}}}$"


def _records() -> Json:
    return {
        "type": "object",
        "additionalProperties": {"anyOf": [{"type": "array", "items": _OBJECT}, _OBJECT]},
    }


def _exactly(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _object() -> Json:
    return _content(_JSON, _OBJECT)


def _content(media_type: str, schema: Json) -> Json:
    return {"description": "See docs/rest.md.", "content": {media_type: {"schema": schema}}}


def _body(schemas: Json, *, required: bool = True) -> Json:
    return {"required": required, "content": {kind: {"schema": schema} for kind, schema in schemas.items()}}
