"""Requests of a shape to its fixture: ids that are there and that are not, values of each type. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from service.rest.builtin.bodies import JSON_PATCH
from service.rest.context import FORM, Parts, RequestContext
from service.rest.proof.fixture import CHILDREN, TEXT_ID, parent_of
from service.rest.proof.values import value_of, word
from service.rest.shape import ID, SEARCH, Shape

MAX_SAMPLES = 8
_MISSING = "999"
# Of controls: a usual value, and one at an edge.
_VALUES = {
    "limit": ("2", "0"),
    "offset": ("1", "9"),
    "sort": ("name", "-count,name"),
    "q": ("alpha", "nowhere"),
    "fields": ("id,name", "name"),
    "_embed": (CHILDREN, CHILDREN),
    "_expand": ("group", "group"),
    "all": ("true", "false"),
    "cascade": ("true", "true"),
    "_sort": ("name", "count"),
    "_order": ("asc", "desc"),
}

# Of conditions: one that holds, as a rule, and one that does not.
_TAGS = {"if-match": (b"*", b'"stale"'), "if-none-match": (b'"none"', b"*")}


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. ``body``: as it was sent."""

    context: RequestContext
    body: bytes

    def __str__(self) -> str:
        """For whoever is told what went wrong with it."""
        query = self.context.query
        target = self.context.path + (f"?{urlencode(query, doseq=True)}" if query else "")
        body = self.body[:300].decode("utf-8", "replace")
        return f"{self.context.method} {target}" + (f" with the body {body}" if body else "")


def samples_of(shape: Shape) -> list[Sample]:
    """At most MAX_SAMPLES. The first is sent a second time at the end: by then something may have changed."""
    places = sum(part == ID for part in shape.path)
    return [_sample(shape, ids, variant) for ids, variant in _choices(places)][:MAX_SAMPLES]


def _choices(places: int) -> Iterator[tuple[tuple[str, ...], int]]:
    """Ids for the path's places, and which variant of body and query goes with them."""
    yield _chain(1, places), 0
    yield _chain(3, places), 1
    if places:
        yield _missing_first(places), 0
        yield (TEXT_ID,) * places, 0
        yield _chain(2, places), 0
    if places > 1:
        yield (*_chain(1, places)[:-1], _MISSING), 0
        yield (*("3",) * (places - 1), "1"), 0  # there, but below another
    yield _chain(1, places), 0


def _chain(last: int, places: int) -> tuple[str, ...]:
    """Of a record and those that it is below."""
    ids = [last]
    while len(ids) < places:
        ids.insert(0, parent_of(ids[0]))
    return tuple(map(str, ids))[:places]


def _missing_first(places: int) -> tuple[str, ...]:
    return (_MISSING, *("1",) * (places - 1))


def _sample(shape: Shape, ids: tuple[str, ...], variant: int) -> Sample:
    given = iter(ids)
    segments = [next(given) if part == ID else part for part in shape.path]
    body = _body(shape, variant)
    overridden = shape.method == "DELETE" and bool(body)  # only so can one of json-server's have a body
    headers = [(b"host", b"example.org"), *_headers(shape, variant)]
    if overridden:
        headers.append((b"x-http-method-override", b"DELETE"))
    parts = Parts(
        method="POST" if overridden else shape.method,
        path=("/" + "/".join(quote(segment, safe="~") for segment in segments)).encode(),
        query=urlencode(_query(shape, variant)).encode(),
        headers=headers,
        body=body,
        ip="127.0.0.1",
        session="proof",
        dialect=shape.dialect,
    )
    return Sample(RequestContext.from_parts(parts), body)


def _query(shape: Shape, variant: int) -> list[tuple[str, str]]:
    found = []
    for name, repeated in shape.query:
        values = _VALUES.get(name, ("1", "2"))
        found += [(name, value) for value in (values if repeated else values[variant : variant + 1])]
    return found


def _headers(shape: Shape, variant: int) -> Iterator[tuple[bytes, bytes]]:
    if shape.media_type:
        yield b"content-type", shape.media_type.encode("latin-1")
    for name in shape.conditions:
        yield name.encode(), _TAGS[name][variant]
    if shape.prefer:
        most = ("max-affected=9", "max-affected=1")[variant]
        told = (most if token == "max-affected" else token for token in shape.prefer)  # noqa: S105 - a preference
        yield b"prefer", ", ".join(told).encode()


def _body(shape: Shape, variant: int) -> bytes:
    if not shape.media_type:
        return b""
    value = _value(shape, variant)
    if shape.media_type == FORM and isinstance(value, dict):
        return urlencode({name: str(each) for name, each in value.items()}).encode()
    return orjson.dumps(value)


def _value(shape: Shape, variant: int) -> Any:
    """Of the body's type; where nothing is known of its members, some that it has and then none."""
    if shape.media_type == JSON_PATCH:
        change = {"op": "replace", "path": "/name", "value": "changed"}
        return [{"op": "remove", "path": "/nowhere"} if variant else change]
    if shape.body == "object" and shape.path[-1:] == (SEARCH,):
        return {} if variant else {"name": word(1)}
    if shape.body == "object":
        return {} if variant else {"name": "sample", "count": 5, "info": {"size": 1}}
    if shape.body == "array":
        return [1] if variant else [{"name": "first"}, {"name": "second", "count": 2}]
    return value_of(shape.body, variant + 1)
