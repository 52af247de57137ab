"""The OpenAPI 3.1 document of one session's API: what its collections have been seen to be.

Paths, methods and parameters come from the built-in planner's own tables (default dialect), types from what
the store has learned. Nothing learned is enforced: a request of other types is taken, and seen.

Names are anybody's text. In a path they are percent-encoded; a collection that no path can name has schemas
only. Component names are ``<part>.<code>`` with the reversible ``component``; a ``..`` is in no code, and
joins two. The size is bounded by budgets that are given out in the order of the names, so that equal
knowledge gives equal documents: what does not fit is left out, and counted in ``x-left-out``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sandbox_runtime.foreign_keys import foreign_keys
from service import __version__
from service.errors import BadRequest
from service.rest.builtin.default_dialect import RULES, Rule
from service.rest.builtin.route import METHODS, Kind
from service.rest.builtin.text import url_path
from service.rest.identity import HEADER
from service.rest.openapi_learned import component, examples_of, schemas_of
from service.rest.openapi_parts import (
    Json,
    bodies_of,
    parameters,
    ref,
    responses_of,
    shared_bodies,
    shared_responses,
    shared_schemas,
)
from service.rest.shape import path_template

MAX_COLLECTIONS = 256
MAX_RELATIONS = 256
_SCHEMA_ROOM = 4 << 20  # bytes, about, of all learned schemas
_MAX_SCHEMA = 128 << 10  # of one collection's
_NAME_ROOM = 4 << 20  # bytes, about, that the collections' names take in paths and references
_USES = 100  # how often a collection's document has its name
_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_IDS = frozenset(("integer", "string"))  # the types of ids
_CONDITIONS = ("If-Match", "If-None-Match")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Operation:
    """Beside what a rule says. ``replies``: status -> response; one that ends in a dot is the collection's
    own, and so is such a ``body``. ``headers``: parameters. ``errors``: statuses of problems."""

    summary: str
    replies: Mapping[str, str]
    errors: tuple[int, ...]
    headers: tuple[str, ...] = ()
    body: str = ""


_WRITTEN = (400, 409, 412, 413, 415, 422)
_KEYED = (*_CONDITIONS, "Idempotency-Key")
_SEEN = {"304": "unchanged"}
_OPERATIONS: Mapping[tuple[Kind, str], _Operation] = {
    ("root", "GET"): _Operation("Name the collections", {"200": "collections"}, (400,)),
    ("collection", "GET"): _Operation(
        "List records", {"200": "page.", **_SEEN}, (400, 412), headers=_CONDITIONS
    ),
    ("collection", "POST"): _Operation(
        "Create a record, or several at once", {"201": "created."}, _WRITTEN, _KEYED, "new."
    ),
    ("collection", "PATCH"): _Operation(
        "Change every record that passes the filters",
        {"200": "records.", "204": "nothing"},
        _WRITTEN,
        _KEYED,
        "changes.",
    ),
    ("collection", "DELETE"): _Operation(
        "Delete every record that passes the filters",
        {"200": "deleted", "204": "nothing"},
        (400, 412),
        headers=_CONDITIONS,
    ),
    ("item", "GET"): _Operation(
        "Get a record", {"200": "record.", **_SEEN}, (400, 404, 412), headers=_CONDITIONS
    ),
    ("item", "PUT"): _Operation(
        "Replace a record",
        {"200": "record.", "204": "nothing"},
        (400, 404, 412, 413, 415, 422),
        _CONDITIONS,
        "whole.",
    ),
    ("item", "PATCH"): _Operation(
        "Change a record", {"200": "record.", "204": "nothing"}, (404, *_WRITTEN), _KEYED, "changes."
    ),
    ("item", "DELETE"): _Operation(
        "Delete a record", {"200": "record.", "204": "nothing"}, (400, 404, 412), headers=_CONDITIONS
    ),
    ("search", "GET"): _Operation(
        "Search records", {"200": "records.", **_SEEN}, (400, 412), headers=_CONDITIONS
    ),
    ("search", "POST"): _Operation(
        "Search by an object of filters", {"200": "records."}, (400, 413, 415), body="filters"
    ),
}
_OPTIONS = _Operation("Tell what the path takes", {"204": "allowed"}, (400,))


@dataclass(frozen=True, slots=True)
class _Place:
    """A path of the document. ``code``: of the collection; ``label``: of all that the path names."""

    path: str
    kind: Kind
    name: str = ""
    code: str = ""
    label: str = ""
    nested: bool = False


def session_openapi(
    collections: Mapping[str, Mapping[str, Any]], server_url: str, *, taken: Collection[str] = ()
) -> Json:
    """For each collection: ``records`` (writes seen), ``next_id``, ``complete``, ``fields`` as
    ``Learned.describe`` has them, and ``example``, a record or None. ``taken``: paths that are not the
    session's, which the document leaves out.

    An example may hold integers of more than 64 bits, which orjson refuses.
    """
    names = _fitting(sorted(collections), component, MAX_COLLECTIONS)
    pairs = list(_relations(names, collections))
    related = _fitting(pairs, lambda pair: component("".join(pair)), MAX_RELATIONS)
    places = [_Place("/", "root"), *_own_places(names), *_nested_places(related)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "LARS session",
            "version": __version__,
            "description": "What this session's collections have been seen to be. POST to another path of "
            "one segment makes a new collection; records of other fields and types are taken, too.",
        },
        "servers": [{"url": server_url.replace("{", "%7B").replace("}", "%7D")}],
        "security": [{}, {"bearer": []}, {"key": []}],
        "tags": [{"name": name} for name in names],
        "paths": {place.path: _path_item(place) for place in places if place.path not in taken},
        "components": _components(names, collections),
        "x-left-out": {
            "collections": len(collections) - len(names),
            "relations": len(pairs) - len(related),
        },
    }


def _components(names: list[str], collections: Mapping[str, Mapping[str, Any]]) -> Json:
    schemas, responses, bodies = shared_schemas(), shared_responses(), shared_bodies()
    examples: Json = {}
    room = min(_MAX_SCHEMA, _SCHEMA_ROOM // max(1, len(names)))
    for name in names:
        code, learned = component(name), collections[name]
        recorded = examples_of(code, learned["example"])
        schemas |= schemas_of(name, code, learned, room)
        responses |= responses_of(code, code if recorded else None)
        bodies |= bodies_of(code, code if recorded else None)
        examples |= recorded
    return {
        "schemas": schemas,
        "responses": responses,
        "parameters": parameters(),
        "requestBodies": bodies,
        "examples": examples,
        "headers": {name: {"schema": {"type": "string"}} for name in ("ETag", "Location", "Allow")},
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        },
    }


def _fitting(items: Iterable[T], code: Callable[[T], str], most: int) -> list[T]:
    """Of the items, in their order, those whose codes the document has room for."""
    room, kept = _NAME_ROOM, list[T]()
    for item in items:
        cost = _USES * len(code(item))
        if cost <= room and len(kept) < most:
            room -= cost
            kept.append(item)
    return kept


def _reachable(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        try:
            path_template((name,))
        except BadRequest:
            continue
        yield name


def _relations(
    names: Iterable[str], collections: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Parents and children: in a field of the child that is the parent's foreign key, ids were seen."""
    reachable = list(_reachable(names))
    keys = [(parent, foreign_keys(parent)) for parent in reachable]
    for child in reachable:
        holding = {
            name for name, seen in collections[child]["fields"].items() if not _IDS.isdisjoint(seen["types"])
        }
        for parent, names_of_key in keys:
            if not holding.isdisjoint(names_of_key):
                yield parent, child


def _own_places(names: Iterable[str]) -> Iterator[_Place]:
    for name in _reachable(names):
        code = component(name)
        yield from _places(_Place(url_path(name), "collection", name, code, code))


def _nested_places(related: Iterable[tuple[str, str]]) -> Iterator[_Place]:
    for parent, child in related:
        path = f"{url_path(parent)}/{{parentId}}{url_path(child)}"
        label = f"{component(parent)}..{component(child)}"
        yield from _places(_Place(path, "collection", child, component(child), label, nested=True))


def _places(first: _Place) -> Iterator[_Place]:
    yield first
    yield replace(first, path=f"{first.path}/search", kind="search")
    yield replace(first, path=f"{first.path}/{{id}}", kind="item")


def _path_item(place: _Place) -> Json:
    parameters = [HEADER, *(["parentId"] if place.nested else []), *(["id"] if place.kind == "item" else [])]
    methods = [method for method in _ORDER if method in METHODS[place.kind]]
    item: Json = {"parameters": [ref("parameters", name) for name in parameters]}
    return item | {method.lower(): _operation(place, method) for method in methods}


def _operation(place: _Place, method: str) -> Json:
    key = (place.kind, "GET" if method == "HEAD" else method)
    rule, known = RULES.get(key), _OPERATIONS.get(key, _OPTIONS)
    # A list below a parent has no tag: the parent may go without it.
    untagged = place.nested and method in ("GET", "HEAD") and place.kind != "item"
    kept = {status: reply for status, reply in known.replies.items() if not (untagged and status == "304")}
    if method == "HEAD":
        kept["200"] = "head"
    errors = {*known.errors, *([404] if place.nested else [])} - ({412} if untagged else set())
    operation: Json = {
        "operationId": f"{method.lower()}-{place.kind}" + (f".{place.label}" if place.label else ""),
        "summary": f"{known.summary}: headers only" if method == "HEAD" else known.summary,
        "responses": {
            **{status: ref("responses", _own(reply, place)) for status, reply in kept.items()},
            **{str(status): ref("responses", f"problem.{status}") for status in sorted(errors)},
            "default": ref("responses", "problem"),
        },
    }
    parameters = _of_rule(rule, () if untagged else known.headers)
    if place.name:
        operation["tags"] = [place.name]
    if parameters:
        operation["parameters"] = parameters
    if known.body:
        operation["requestBody"] = ref("requestBodies", _own(known.body, place))
    return operation


def _own(name: str, place: _Place) -> str:
    return name + place.code if name.endswith(".") else name


def _of_rule(rule: Rule | None, headers: tuple[str, ...]) -> list[Json]:
    if rule is None:
        return []
    names = [*sorted(rule.controls), *(["filters"] if rule.filters else []), *headers, "Prefer"]
    return [ref("parameters", name) for name in names]
