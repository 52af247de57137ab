"""The shape of a request: what a plan may depend on. Names, operators, types and presence, never a value.

A path alternates: even segments name collections and belong to the shape, odd ones are ids and do not.
``search`` in the place of an id, at the end of the path, names the search action (also as ``/search``).
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from service.errors import BadRequest, FieldError
from service.rest.context import RequestContext

ID = "{id}"
SEARCH = "search"
CONDITIONAL = ("if-match", "if-none-match")
MAX_COLLECTION = 128
# First no underscore (the service's own paths) and no dot; no slash, brace or blank anywhere.
_COLLECTION = re.compile(r"[^\W_][\w.~-]*")
_MAX_FIELDS = 64  # of one object in a body's tree
_MAX_NODES = 400  # of the whole tree
_MAX_FIELD = 200  # characters

BodyTree = str | tuple[str, tuple[Any, ...]]
_KINDS: Mapping[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """``path``: collection names, ID and SEARCH. ``query``: sorted (name with its operator, repeated or not).
    ``body``: see ``body_tree``, "none" without one. ``conditions``: conditional headers that are there.
    ``prefer``: see ``Preferences.tokens``. ``versions``: of whatever else decides about a plan."""

    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, bool], ...] = ()
    body: BodyTree = "none"
    media_type: str = ""
    conditions: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    dialect: str = "default"
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def body_kind(self) -> str:
        """none, or the JSON type of the whole body."""
        return self.body if isinstance(self.body, str) else self.body[0]

    def canonical(self) -> bytes:
        """JSON that is equal for equal shapes and for no others."""
        members = [
            self.method,
            self.path,
            self.query,
            self.body,
            self.media_type,
            self.conditions,
            self.prefer,
            self.dialect,
            self.versions,
        ]
        return orjson.dumps(members)

    def key(self) -> str:
        """SHA-256 of ``canonical``, as 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def vocabulary(self) -> frozenset[str]:
        """Every name in the shape, and the places of the path's segments. A program may write these as
        literals although the request holds the same."""
        words = {*self.path, *map(str, range(len(self.path))), *self.prefer, *_tree_names(self.body)}
        for name, _ in self.query:
            field, _, operator = name.partition("__")
            words |= {name, field, operator, *field.split(".")}
            if self.dialect == "json-server":  # whose operators follow one underscore: name_like
                field = name.rpartition("_")[0]
                words |= {field, *field.split(".")}
        return frozenset(words - {""})


def shape_of(context: RequestContext, versions: tuple[tuple[str, str], ...], body_depth: int) -> Shape:
    """The shape, with so many levels of the body as the planner asks to see. BadRequest for a name in the
    path that no collection can have."""
    headers = context.headers
    return Shape(
        method=_method(context),
        path=path_template(context.segments),
        query=tuple(sorted((name, isinstance(value, list)) for name, value in context.query.items())),
        body=body_tree(context.body_json, body_depth) if context.media_type else "none",
        media_type=context.media_type,
        conditions=tuple(name for name in CONDITIONAL if name in headers),
        prefer=context.preferences.tokens(),
        dialect=context.dialect,
        versions=versions,
    )


def _method(context: RequestContext) -> str:
    """json-server's clients may send any write as POST with its method in a header."""
    instead = context.headers.get("x-http-method-override", "").upper()
    overrides = context.dialect == "json-server" and context.method == "POST"
    return instead if overrides and instead in ("PUT", "PATCH", "DELETE") else context.method


def path_template(segments: tuple[str, ...]) -> tuple[str, ...]:
    """Collections by name, ids as ID, the search action as SEARCH."""
    last = len(segments) - 1
    template = []
    for at, segment in enumerate(segments):
        if at % 2 == 0:
            template.append(_collection(segment))
        elif at == last and segment == SEARCH:
            template.append(SEARCH)
        else:
            template.append(ID)
    return tuple(template)


def _collection(name: str) -> str:
    if len(name) <= MAX_COLLECTION and _COLLECTION.fullmatch(name):
        return name
    error = FieldError(
        "path",
        "has a segment that cannot name a collection",
        "use letters, digits, _ . ~ and -, beginning with a letter or digit",
        name,
        MAX_COLLECTION,
    )
    raise BadRequest(str(error), extra={"errors": [error.as_json()]})


def body_tree(value: Any, depth: int) -> BodyTree:
    """JSON types: a name, or at most ``depth`` levels down (object, ((field, tree), ...)) with sorted fields
    and (array, (tree, ...)) with the different ones of its items. Cut at sizes that bound its cost: a cut
    object or array ends in "...".

    Shapes of bodies that differ only beyond the cut are the same, so a planner may not assume more."""
    return _Tree(_MAX_NODES).of(value, depth)


class _Tree:
    """One walk over one body; counts what it has seen."""

    def __init__(self, nodes: int) -> None:
        self._left = nodes

    def of(self, value: Any, depth: int) -> BodyTree:
        self._left -= 1
        kind = _KINDS[type(value)]
        if depth <= 0 or self._left <= 0:
            return kind
        if isinstance(value, dict):
            return "object", self._fields(value, depth - 1)
        if isinstance(value, list):
            return "array", self._items(value, depth - 1)
        return kind

    def _fields(self, value: dict[str, Any], depth: int) -> tuple[Any, ...]:
        shown = (name for name in value if len(name) <= _MAX_FIELD and name.isprintable())
        # Of a million names hardly one is kept: a heap of those looks at each once, and sorts none.
        names = sorted(shown) if len(value) <= _MAX_FIELDS else heapq.nsmallest(_MAX_FIELDS, shown)
        found: list[Any] = [(name, self.of(value[name], depth)) for name in names]
        return tuple(found if len(found) == len(value) else [*found, "..."])

    def _items(self, value: list[Any], depth: int) -> tuple[Any, ...]:
        seen: dict[BodyTree, None] = {}
        for item in value[:_MAX_FIELDS]:
            seen[self.of(item, depth)] = None
        found: list[Any] = sorted(seen, key=orjson.dumps)
        return tuple(found if len(value) <= _MAX_FIELDS else [*found, "..."])


def _tree_names(tree: Any) -> Iterator[str]:
    if not isinstance(tree, tuple) or len(tree) != 2:
        return
    kind, children = tree
    for child in children:
        if child == "...":
            continue
        if kind == "object":
            yield child[0]
            yield from _tree_names(child[1])
        else:
            yield from _tree_names(child)
