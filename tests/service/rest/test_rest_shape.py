"""Shapes: exact, and without values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rest.context import Parts, RequestContext
from service.rest.shape import ID, SEARCH, Shape, body_tree, path_template, shape_of

VERSIONS = (("planner", "1"),)


def request(planted: str, number: int) -> RequestContext:
    """A request with the two values in every place that holds a value."""
    body = {"name": planted, "deep": {"list": [number, planted, {"x": number + 0.5}]}}
    headers = [
        (b"content-type", b"application/json"),
        (b"if-match", planted.encode()),
        (b"if-none-match", planted.encode()),
        (b"host", planted.encode()),
        (b"prefer", b"return=minimal, max-affected=%d" % number),
    ]
    path = f"/projects/{planted}/tasks/{number}/notes".encode()
    query = f"name={planted}&age__gte={number}&limit={number}&tag={planted}&tag=x&sort={planted}".encode()
    return RequestContext.from_parts(
        Parts("POST", path, query, headers, orjson.dumps(body), planted, planted)
    )


@pytest.mark.parametrize("depth", [0, 1, 8])
def test_values_are_no_part_of_a_shape(depth: int) -> None:
    """Not of its text, and two requests that differ in nothing else have one key."""
    one = shape_of(request("sEcReT-one", 918273), VERSIONS, depth)
    two = shape_of(request("oThEr-two", 645546), VERSIONS, depth)
    assert one == two
    assert one.key() == two.key()
    assert b"sEcReT" not in one.canonical()
    assert b"918273" not in one.canonical()
    assert not {"sEcReT-one", "918273"} & one.vocabulary()


def test_everything_else_is() -> None:
    """Each of these changes the key."""
    base = Shape("POST", ("a",), (("x", False),), "object", "application/json", versions=VERSIONS)
    changes: list[dict[str, Any]] = [
        {"method": "PUT"},
        {"path": ("b",)},
        {"path": ("a", ID)},
        {"query": (("x", True),)},
        {"query": (("x__ne", False),)},
        {"query": ()},
        {"body": "array"},
        {"body": ("object", (("n", "string"),))},
        {"media_type": "application/merge-patch+json"},
        {"conditions": ("if-match",)},
        {"prefer": ("return=minimal",)},
        {"dialect": "json-server"},
        {"versions": (("planner", "2"),)},
    ]
    others = [replace(base, **change) for change in changes]
    assert len({shape.key() for shape in [base, *others]}) == len(others) + 1
    assert len(base.key()) == 64


def test_the_order_of_a_query_is_no_part() -> None:
    """Nor that of a body's members."""
    one = RequestContext.from_parts(Parts("GET", b"/a", b"b=1&a=2"))
    two = RequestContext.from_parts(Parts("GET", b"/a", b"a=3&b=4"))
    assert shape_of(one, (), 0).key() == shape_of(two, (), 0).key()
    assert body_tree({"a": 1, "b": "x"}, 3) == body_tree({"b": "y", "a": 2}, 3)


@pytest.mark.parametrize(
    ("segments", "template"),
    [
        ((), ()),
        (("a",), ("a",)),
        (("a", "1"), ("a", ID)),
        (("a", "1", "b"), ("a", ID, "b")),
        (("a", "search"), ("a", SEARCH)),
        (("a", "1", "b", "search"), ("a", ID, "b", SEARCH)),
        (("a", "search", "b"), ("a", ID, "b")),
        (("search",), ("search",)),
        (("search", "1"), ("search", ID)),
        (("a", "{id}"), ("a", ID)),
    ],
)
def test_templates(segments: tuple[str, ...], template: tuple[str, ...]) -> None:
    """Even places name collections, odd ones hold ids, a last ``search`` is the action."""
    assert path_template(segments) == template


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=80) | st.dictionaries(st.text(), inner, max_size=80),
    max_leaves=60,
)


@given(JSON, st.integers(0, 8))
def test_trees_are_bounded_and_hold_names_only(value: object, depth: int) -> None:
    """Whatever the body."""
    tree = body_tree(value, depth)
    text = orjson.dumps(tree)
    assert len(text) < 400_000
    if not isinstance(value, dict | list):
        assert tree in ("null", "boolean", "integer", "number", "string")


@pytest.mark.parametrize(
    "body", [{str(at): at for at in range(100_000)}, [[[1] * 100] * 100] * 100, {"x" * 1_000_000: 1}]
)
def test_huge_bodies_have_small_trees(body: object) -> None:
    """A megabyte of names does not become a megabyte of shape."""
    assert len(orjson.dumps(body_tree(body, 8))) < 100_000


def test_vocabulary_has_the_fields_of_json_servers_operators() -> None:
    parts = Parts("GET", b"/a", b"b.name_like=x&c_ne=y", dialect="json-server")
    shape = shape_of(RequestContext.from_parts(parts), VERSIONS, 3)
    assert {"b.name", "b", "name", "c"} <= shape.vocabulary()


@given(st.dictionaries(st.text("ab.ü' ", max_size=8), st.integers() | st.text(max_size=8), max_size=5))
def test_vocabulary_is_the_names(body: dict[str, object]) -> None:
    """So that a check for literals of the request can tell a name from a value."""
    shape = Shape("GET", ("a", ID), (("b.c__gte", False),), body_tree(body, 3))
    assert shape.vocabulary() == {"a", ID, "0", "1", "b.c__gte", "b.c", "b", "c", "gte", *body} - {""}
