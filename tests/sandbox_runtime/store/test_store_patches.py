"""JSON Patch by the cases of RFC 6902 appendix A, merge patch by the table of RFC 7396 appendix A."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import BadRecord, PatchConflict, PatchInvalid
from sandbox_runtime.store.patches import json_patched, merge_patched, same_json
from sandbox_runtime.store.resource import ResourceStore


@pytest.fixture
def store() -> Iterator[ResourceStore]:
    database = SessionDatabase(":memory:", full_sync=False)
    database.begin(write=True)
    yield database.session_store.collection("things")
    database.rollback()
    database.close()


def op(name: str, path: str, **members: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **members}


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        pytest.param({"k": 1}, [op("add", "/n", value=2)], {"k": 1, "n": 2}, id="A.1 add a member"),
        pytest.param(
            {"l": ["a", "c"]}, [op("add", "/l/1", value="b")], {"l": ["a", "b", "c"]}, id="A.2 add an element"
        ),
        pytest.param({"k": 1, "n": 2}, [op("remove", "/n")], {"k": 1}, id="A.3 remove a member"),
        pytest.param(
            {"l": ["a", "b", "c"]}, [op("remove", "/l/1")], {"l": ["a", "c"]}, id="A.4 remove an element"
        ),
        pytest.param(
            {"k": 1, "n": 2}, [op("replace", "/n", value=3)], {"k": 1, "n": 3}, id="A.5 replace a value"
        ),
        pytest.param(
            {"a": {"x": 1, "y": 2}, "b": {"z": 3}},
            [op("move", "/b/w", **{"from": "/a/y"})],
            {"a": {"x": 1}, "b": {"z": 3, "w": 2}},
            id="A.6 move a value",
        ),
        pytest.param(
            {"l": ["a", "b", "c", "d"]},
            [op("move", "/l/3", **{"from": "/l/1"})],
            {"l": ["a", "c", "d", "b"]},
            id="A.7 move an element",
        ),
        pytest.param(
            {"k": "v", "l": ["a", 2, "c"]},
            [op("test", "/k", value="v"), op("test", "/l/1", value=2)],
            {"k": "v", "l": ["a", 2, "c"]},
            id="A.8 test that holds",
        ),
        pytest.param(
            {"k": 1}, [op("add", "/n", value={"in": {}})], {"k": 1, "n": {"in": {}}}, id="A.10 nested object"
        ),
        pytest.param(
            {"k": 1}, [op("add", "/n", value=2, more=3)], {"k": 1, "n": 2}, id="A.11 unknown members"
        ),
        pytest.param(
            {"/": 9, "~1": 10}, [op("test", "/~01", value=10)], {"/": 9, "~1": 10}, id="A.14 escapes in order"
        ),
        pytest.param(
            {"l": ["a"]}, [op("add", "/l/-", value=["b"])], {"l": ["a", ["b"]]}, id="A.16 array as a value"
        ),
        pytest.param({"k": 1}, [op("add", "", value={"n": 2})], {"n": 2}, id="whole document"),
        pytest.param({"k": 1}, [op("replace", "", value=[1])], [1], id="replace the whole"),
        pytest.param(
            {"a": [1]},
            [op("copy", "/b", **{"from": "/a"}), op("add", "/b/-", value=2)],
            {"a": [1], "b": [1, 2]},
            id="a copy is its own",
        ),
        pytest.param({"a": 1}, [op("move", "/a", **{"from": "/a"})], {"a": 1}, id="move to itself"),
        pytest.param({"a": 1}, [op("test", "/a", value=1.0)], {"a": 1}, id="numbers by value"),
        pytest.param({"": {"": 1}}, [op("replace", "//", value=2)], {"": {"": 2}}, id="empty names"),
        pytest.param(
            {"0": "a", "-": "b"}, [op("remove", "/0"), op("remove", "/-")], {}, id="digits name members"
        ),
        pytest.param(
            {"a": None}, [op("add", "/a", value=None), op("test", "/a", value=None)], {"a": None}, id="null"
        ),
        pytest.param({"l": [1, 2]}, [op("add", "/l/2", value=3)], {"l": [1, 2, 3]}, id="at the end"),
    ],
)
def test_json_patch(document: Any, operations: list[Any], expected: Any) -> None:
    before = repr(document)
    assert json_patched(document, operations) == expected
    assert repr(document) == before


@pytest.mark.parametrize(
    ("document", "operation"),
    [
        pytest.param({"k": "v"}, op("test", "/k", value="w"), id="A.9 test that fails"),
        pytest.param({"/": 9, "~1": 10}, op("test", "/~01", value="10"), id="A.15 text is no number"),
        pytest.param({"k": 1}, op("test", "/k", value=True), id="true is not 1"),
        pytest.param({"k": 0}, op("test", "/k", value=False), id="false is not 0"),
        pytest.param({"k": [1]}, op("test", "/k", value=[True]), id="not inside either"),
        pytest.param({"k": None}, op("test", "/k", value=False), id="null is not false"),
        pytest.param({"k": {"a": 1}}, op("test", "/k", value={"a": 1, "b": 2}), id="more members"),
    ],
)
def test_a_test_that_fails_is_a_conflict(document: Any, operation: dict[str, Any]) -> None:
    with pytest.raises(PatchConflict, match="operation 0:") as refused:
        json_patched(document, [operation])
    assert refused.value.extra == {"index": 0}
    assert refused.value.status == 409


@pytest.mark.parametrize(
    ("document", "operations"),
    [
        pytest.param({"k": 1}, [op("add", "/a/b", value=1)], id="A.12 no parent"),
        pytest.param({"k": 1}, [op("jump", "/k")], id="A.13 no such operation"),
        pytest.param({"k": 1}, [op("remove", "/n")], id="remove nothing"),
        pytest.param({"k": 1}, [op("replace", "/n", value=1)], id="replace nothing"),
        pytest.param({"k": 1}, [op("test", "/n", value=None)], id="test nothing"),
        pytest.param({"k": 1}, [op("copy", "/m", **{"from": "/n"})], id="copy nothing"),
        pytest.param({"k": 1}, [op("remove", "")], id="remove everything"),
        pytest.param({"k": 1}, [op("add", "n", value=1)], id="pointer without slash"),
        pytest.param({"k": 1}, [op("add", "/n~2", value=1)], id="no such escape"),
        pytest.param({"k": 1}, [op("add", "/n~", value=1)], id="half an escape"),
        pytest.param({"k": 1}, [op("add", "/n")], id="no value"),
        pytest.param({"k": 1}, [op("move", "/n")], id="no from"),
        pytest.param({"k": 1}, [{"op": "add", "value": 1}], id="no path"),
        pytest.param({"k": 1}, [{"path": "/k"}], id="no op"),
        pytest.param({"k": 1}, [op("add", 5, value=1)], id="path is a number"),  # type: ignore[arg-type]
        pytest.param({"k": {"i": 1}}, [op("move", "/k/i/j", **{"from": "/k"})], id="into itself"),
        pytest.param({"l": [1]}, [op("add", "/l/2", value=1)], id="beyond the end"),
        pytest.param({"l": [1]}, [op("add", "/l/01", value=1)], id="leading zero"),
        pytest.param({"l": [1]}, [op("add", "/l/x", value=1)], id="no index"),
        pytest.param({"l": [1]}, [op("remove", "/l/-")], id="the element after the last"),
        pytest.param({"l": [1]}, [op("remove", "/l/-1")], id="negative"),
        pytest.param({"l": [1]}, [op("remove", "/l/\u0661")], id="another script's digit"),
        pytest.param({"k": "text"}, [op("add", "/k/0", value=1)], id="into a text"),
        pytest.param({}, {"op": "add"}, id="no list"),
        pytest.param({}, ["add"], id="no object"),
        pytest.param({}, [op("test", "", value={})] * 1001, id="too many"),
    ],
)
def test_a_patch_that_cannot_be_done_is_invalid(document: Any, operations: Any) -> None:
    before = repr(document)
    with pytest.raises(PatchInvalid) as refused:
        json_patched(document, operations)
    assert refused.value.status == 422
    assert repr(document) == before


def test_copies_of_copies_are_bounded() -> None:
    doubling = [op("copy", "/a/-", **{"from": "/a"})] * 40
    with pytest.raises(PatchInvalid, match="100000 values"):
        json_patched({"a": [1]}, doubling)


def test_a_patch_is_atomic_and_leaves_the_id(store: ResourceStore) -> None:
    store.insert({"k": 1, "l": []})
    etag = store.etag(1)
    with pytest.raises(PatchConflict, match="operation 2:"):
        store.json_patch(1, [op("add", "/x", value=1), op("remove", "/k"), op("test", "/x", value=2)])
    for bad in (
        [op("replace", "/id", value=2)],
        [op("replace", "/id", value=True)],
        [op("remove", "/id")],
        [op("replace", "", value=[])],
        [op("replace", "", value={"k": 1})],
    ):
        with pytest.raises(PatchInvalid):
            store.json_patch(1, bad)
    assert (store.get(1), store.etag(1)) == ({"id": 1, "k": 1, "l": []}, etag)
    kept = store.json_patch("1", [op("test", "/id", value=1), op("add", "/l/-", value="x")])
    assert kept == store.get(1) == {"id": 1, "k": 1, "l": ["x"]}
    assert store.json_patch(9, [op("nonsense", "")]) is None


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, expected: Any) -> None:
    before = repr(target)
    assert merge_patched(target, patch) == expected
    assert repr(target) == before


@pytest.mark.parametrize("patch", [None, [], "text", 5])
def test_a_record_stays_an_object(store: ResourceStore, patch: Any) -> None:
    store.insert({"k": 1})
    with pytest.raises(PatchInvalid):
        store.merge_patch(1, patch)
    with pytest.raises(BadRecord):
        store.replace(1, patch)
    with pytest.raises(BadRecord):
        store.update(1, patch)
    assert store.get(1) == {"id": 1, "k": 1}


def test_patches_nested_without_end_are_refused() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(PatchInvalid):
        merge_patched({}, deep)
    with pytest.raises(PatchInvalid):
        json_patched({}, [op("add", "/a", value=deep)])
    with pytest.raises(PatchConflict):
        json_patched({"a": 1}, [op("test", "", value=deep)])


documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.text("ab", max_size=2)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "/"]), inner)
    ),
    max_leaves=8,
)


@given(documents)
def test_every_value_equals_itself_and_only_its_type(value: Any) -> None:
    assert same_json(value, value)
    assert same_json(value, json_patched(value, [op("test", "", value=value)]))
    assert not same_json([value], value)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), documents, max_size=3), documents)
def test_adding_then_removing_changes_nothing(document: dict[str, Any], value: Any) -> None:
    there_and_back = [
        op("add", "/new", value=value),
        op("move", "/moved", **{"from": "/new"}),
        op("remove", "/moved"),
    ]
    assert same_json(json_patched(document, there_and_back), document)
