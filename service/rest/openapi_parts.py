"""The parts of a session's OpenAPI document that do not depend on what was learned: parameters, responses,
bodies. Those of a collection are named ``<part>.<code>``, those of all of them have no dot, or are problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.errors import MEDIA_TYPE
from service.rest.builtin.bodies import JSON, JSON_PATCH, MERGE_PATCH
from service.rest.builtin.query import OPERATORS
from service.rest.context import MAX_SEGMENT
from service.rest.identity import HEADER

Json = dict[str, Any]


def ref(part: str, name: str) -> Json:
    """A reference to one of the components."""
    return {"$ref": f"#/components/{part}/{name}"}


def parameters() -> Json:
    """For ``components.parameters``: every parameter of the default dialect, by its name."""
    number = {"type": "integer", "minimum": 0}
    text = {"type": "string"}
    ident = {"type": "string", "minLength": 1, "maxLength": MAX_SEGMENT}
    operators = ", ".join(OPERATORS)
    query: dict[str, tuple[Json, str]] = {
        "limit": (number, "Records on the page; all without it."),
        "offset": (number, "Records before the page."),
        "sort": (text, "Fields with commas between; a minus before one turns its order round."),
        "q": (text, "A text to find in any value."),
        "fields": (text, "Members to answer with, with commas between; dotted paths reach inside."),
        "_embed": (text, "Collections whose records are children, with commas between."),
        "_expand": (text, "Parents to put in, by their singular, with commas between."),
        "all": ({"const": "true"}, "Needed for all that pass, unless Prefer has max-affected."),
        "cascade": ({"enum": ["true", "false"]}, "Whether records that point here go, too."),
    }
    headers: dict[str, tuple[Json, str]] = {
        HEADER: (
            {"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,128}$"},
            "The session; without it, it is the credential's own.",
        ),
        "If-Match": (text, "Entity tags, or *: only if the state is one of these."),
        "If-None-Match": (text, "Entity tags, or *: only if the state is none of these."),
        "Idempotency-Key": (
            {"type": "string", "minLength": 1, "maxLength": 255},
            "The same key again gives the same answer again.",
        ),
        "Prefer": (text, "return, tx=rollback, max-affected=N, handling=strict."),
    }
    paths = dict.fromkeys(("id", "parentId"), (ident, "A record's id."))
    places = (("query", query), ("header", headers), ("path", paths))
    found: Json = {
        name: {
            "name": name,
            "in": place,
            "description": said,
            "schema": schema,
            **({"required": True} if place == "path" else {}),
        }
        for place, rows in places
        for name, (schema, said) in rows.items()
    }
    found["filters"] = {
        "name": "filters",
        "in": "query",
        "description": f"Any field=value, or field__operator=value: {operators}. Dotted paths reach inside.",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": text},
    }
    return found


PROBLEMS: Mapping[int, str] = {
    400: "bad_request, malformed_json, bad_query, query_too_slow, too_many_affected",
    404: "not_found",
    409: "duplicate_id, patch_conflict, idempotency_conflict",
    412: "precondition_failed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    422: "bad_record, patch_invalid, idempotency_key_reused",
}


def shared_responses() -> Json:
    """For ``components.responses``."""
    problem = {MEDIA_TYPE: {"schema": ref("schemas", "Problem")}}
    names = {"type": "array", "items": {"type": "string"}}
    return {
        "problem": {"description": "Anything else that went wrong.", "content": problem},
        **{
            f"problem.{status}": {"description": f"code: {codes}", "content": problem}
            for status, codes in PROBLEMS.items()
        },
        "nothing": {"description": "Done; there is no body."},
        "unchanged": {"description": "If-None-Match names the current state.", "headers": _headers("ETag")},
        "head": {"description": "There; no body.", "headers": _headers("ETag")},
        "allowed": {"description": "Methods in Allow.", "headers": _headers("Allow")},
        "deleted": _answer("How many.", _object({"deleted": {"type": "integer", "minimum": 0}})),
        "collections": _answer("The names.", _object({"collections": names})),
    }


def responses_of(code: str, recorded: str | None) -> Json:
    """Of one collection. ``recorded``: whose examples there are."""
    record = ref("schemas", f"record.{code}")
    several = {"type": "array", "items": record}
    page = _object({"items": several, "page": ref("schemas", "Page")})
    return {
        f"record.{code}": _answer("The record; with fields only these members.", record, ("ETag",), recorded),
        f"created.{code}": _answer(
            "As stored; no body with return=minimal.",
            {"anyOf": [record, several]},
            ("Location", "ETag"),
            recorded,
        ),
        f"records.{code}": _answer("The records; with fields only these members.", several, ("ETag",)),
        f"page.{code}": _answer("A page of records; with fields only these members.", page, ("ETag",)),
    }


def shared_bodies() -> Json:
    """For ``components.requestBodies``."""
    return {"filters": _body({JSON: {"schema": {"type": "object"}}})}


def bodies_of(code: str, recorded: str | None) -> Json:
    """Of one collection, ``recorded`` as for responses."""
    new, members = ref("schemas", f"new.{code}"), ref("schemas", f"members.{code}")
    example = _recorded("new", recorded)
    one_or_more = {"anyOf": [new, {"type": "array", "items": new}]}
    return {
        f"new.{code}": _body({JSON: {"schema": one_or_more, **example}}),
        f"whole.{code}": _body({JSON: {"schema": new, **example}}),
        f"changes.{code}": _body(
            {
                JSON: {"schema": members},
                MERGE_PATCH: {"schema": {"type": "object"}},
                JSON_PATCH: {"schema": ref("schemas", "JsonPatch")},
            }
        ),
    }


def _answer(said: str, schema: Json, headers: tuple[str, ...] = (), recorded: str | None = None) -> Json:
    content = {JSON: {"schema": schema, **_recorded("record", recorded)}}
    return {"description": said, **({"headers": _headers(*headers)} if headers else {}), "content": content}


def _recorded(part: str, code: str | None) -> Json:
    return {} if code is None else {"examples": {"recorded": ref("examples", f"{part}.{code}")}}


def _body(content: Json) -> Json:
    return {"required": True, "content": content}


def _headers(*names: str) -> Json:
    return {name: ref("headers", name) for name in names}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def shared_schemas() -> Json:
    """For ``components.schemas``."""
    number, pointer = {"type": "integer", "minimum": 0}, {"type": "string"}
    texts = {name: {"type": "string"} for name in ("type", "title", "detail", "code", "error")}
    page = {"limit": {"type": ["integer", "null"], "minimum": 0}, "offset": number, "total": number}
    step = {
        "type": "object",
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": pointer,
            "from": pointer,
            "value": {},
        },
        "required": ["op", "path"],
    }
    return {
        "Problem": _object({**texts, "status": {"type": "integer"}}),
        "Page": _object(page),
        "JsonPatch": {"type": "array", "items": step},
    }
