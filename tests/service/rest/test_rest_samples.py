"""Fixtures and samples: made of a shape alone, and of that shape; what is compared, and how it is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox_runtime.call import Reply, Trouble
from service.rest.proof.agreement import difference, reply_difference
from service.rest.proof.fixture import fixture_of
from service.rest.proof.observed import Observed, observe
from service.rest.proof.samples import MAX_SAMPLES, samples_of
from service.rest.shape import ID, Shape, body_tree, shape_of

DEPTH = 3
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
CONTROLS = ("limit", "sort", "fields", "_embed", "all", "_page", "cascade")


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Of writes whose bodies are known to some depth."""
    names = draw(st.lists(st.sampled_from(["notes", "orders", "série", "a~b"]), min_size=1, max_size=3))
    path = [part for name in names for part in (name, ID)]
    dialect = draw(st.sampled_from(["default", "json-server"]))
    return Shape(
        method=draw(st.sampled_from(["POST", "PUT", "PATCH"])),
        path=tuple(path[: len(path) - draw(st.integers(0, 1))]),
        query=tuple(sorted((name, draw(st.booleans())) for name in draw(st.sets(st.sampled_from(CONTROLS))))),
        body=body_tree(draw(BODIES), draw(st.integers(1, DEPTH))),
        media_type="application/vnd.odd+json",
        conditions=draw(st.sampled_from([(), ("if-match",), ("if-match", "if-none-match")])),
        prefer=draw(st.sampled_from([(), ("max-affected", "tx=rollback"), ("return=minimal",)])),
        dialect=dialect,
    )


@settings(max_examples=150)
@given(shapes())
def test_samples_are_of_their_shape(shape: Shape) -> None:
    """But for the dialect, which the session may say, and what lies deeper than the shape shows."""
    samples = samples_of(shape)
    assert 0 < len(samples) <= MAX_SAMPLES
    for sample in samples:
        found = shape_of(sample.context, (), DEPTH)
        assert (found.method, found.path, found.query) == (shape.method, shape.path, shape.query)
        assert (found.media_type, found.conditions) == (shape.media_type, shape.conditions)
        assert (found.prefer, found.dialect) == (shape.prefer, shape.dialect)
        assert found.body_kind == shape.body_kind
        assert str(sample).startswith(f"{shape.method} /")
    assert samples_of(shape) == samples
    assert fixture_of(shape) == fixture_of(shape)


def test_a_fixture_holds_together() -> None:
    """Records of each collection, with the body's fields and the id of a parent."""
    shape = Shape(
        "POST", ("orders", ID, "lines"), body=("object", (("id", "integer"), ("total", "number"), "..."))
    )
    fixture = fixture_of(shape)
    assert list(fixture) == ["groups", "orders", "lines", "details"]
    assert [(row["id"], row["orderId"]) for row in fixture["lines"]] == [(1, 1), (2, 1), (3, 2), ("k9", "k9")]
    assert [row["lineId"] for row in fixture["details"]] == [1, 1, 2, "k9"]
    assert fixture["orders"][1]["total"] == 2.5


@pytest.mark.parametrize(
    ("mine", "due", "told"),
    [
        (1, 1, ""),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, ""),
        (1, True, "it is 1, expected True"),
        (1, 1.0, "it is 1, expected 1.0"),
        ({"a": 1}, {"b": 1}, "it lacks the member 'b'"),
        ({"a": 1, "b": 2}, {"b": 2}, "it has the member 'a', which is not expected"),
        ([{"a": 1}], [{"a": 2}], "it[0]['a'] is 1, expected 2"),
        ([1], [1, 2], "it has 1 items, expected 2"),
        (None, {}, "it is None, expected {}"),
    ],
)
def test_the_first_difference_is_told(mine: Any, due: Any, told: str) -> None:
    assert difference("it", mine, due) == told


def test_errors_agree_by_status_and_code() -> None:
    (sample, *_) = samples_of(Shape("GET", ("notes", ID)))
    known = Observed(404, {}, {"error": "none"}, "not_found")
    same = Observed(404, {}, {"error": "there is none", "code": "not_found"}, "not_found")
    other = Observed(404, {}, {"error": "none", "code": "gone"}, "gone")
    assert reply_difference([sample], [same], [known]) == ""
    assert "gone" in reply_difference([sample], [other], [known])
    assert "expected 404" in reply_difference([sample], [Observed(200, {})], [known])


def test_what_is_a_fault() -> None:
    """What the store refuses for good reason is none."""
    refused = observe(None, Reply(400, trouble=Trouble("bad_query", "no such operator")))
    assert (refused.status, refused.code, refused.fault) == (400, "bad_query", "")
    assert "only reads" in observe(None, Reply(500, trouble=Trouble("read_only", "begin"))).fault
    for code in ("plan_failed", "store_error", "unheard_of"):
        assert observe(None, Reply(502, trouble=Trouble(code, "why"))).fault == "why"
    assert "503" in observe(None, Reply(503)).fault
    assert "Set-Cookie" in observe(b"1", Reply(200, {"Set-Cookie": "a=b"})).fault
    assert observe(b'{"a":1}', Reply(200, {"Location": "/a"})) == Observed(200, {"Location": "/a"}, {"a": 1})
