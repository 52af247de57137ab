"""What operations of the OpenAPI document are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from service.errors import MEDIA_TYPE

Json = dict[str, Any]
JSON = "application/json"
HASH: Json = {"type": "string", "pattern": "^[0-9A-Fa-f]{40,64}$"}
TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "integer", "minimum": 1}
WEIGHT: Json = {"type": "integer", "minimum": 1, "maximum": 99, "description": "Percent of the calls."}
OBJECT: Json = {"type": "object"}


def operation(name: str, summary: str, errors: Iterable[int], body: Json | None = None) -> Json:
    """``errors``: statuses of problems, which are described nowhere else."""
    problem = {"$ref": "#/components/schemas/Problem"}
    problems = {str(status): answered(problem, MEDIA_TYPE) for status in errors}
    own = {} if body is None else {"requestBody": body}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": answered(OBJECT, JSON), **problems},
        **own,
    }


def answered(schema: Json, media_type: str) -> Json:
    """A response."""
    return {"description": "See docs/functions.md.", "content": {media_type: {"schema": schema}}}


def below(item: Json) -> Json:
    """Of a path that names a function by its contract and its name."""
    return {"parameters": [in_path("contract", HASH), in_path("name", TEXT)], **item}


def in_path(name: str, schema: Json) -> Json:
    """A parameter."""
    return {"name": name, "in": "path", "required": True, "schema": schema}


def in_query(name: str, schema: Json, said: str) -> Json:
    """A parameter; ``said``: what it is for."""
    return {"name": name, "in": "query", "required": False, "description": said, "schema": schema}


def paging(most: int) -> list[Json]:
    """The parameters of a list; ``most``: items of a page."""
    limit = {"type": "integer", "minimum": 1, "maximum": most}
    return [in_query("limit", limit, "At most so many."), in_query("after", TEXT, "The page before says it.")]


def json_body(properties: Json, needed: list[str]) -> Json:
    """A JSON object of these members and no others."""
    schema = {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
    return {"required": bool(needed), "content": {JSON: {"schema": schema}}}
