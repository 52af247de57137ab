"""Single records: kept exactly, ids given out once, revisions, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import (
    BadQuery,
    BadRecord,
    DuplicateId,
    PreconditionFailed,
    QuotaExceeded,
    ReadOnly,
    TooManyAffected,
)
from sandbox_runtime.store.resource import ResourceStore
from tests.sandbox_runtime.store.store_model import Model, ModelDuplicate
from tests.sandbox_runtime.store.test_store_queries import typed


@pytest.fixture
def database() -> Iterator[SessionDatabase]:
    opened = SessionDatabase(":memory:", full_sync=False)
    opened.begin(write=True)
    yield opened
    opened.rollback()
    opened.close()


@pytest.fixture
def store(database: SessionDatabase) -> ResourceStore:
    return database.session_store.collection("things")


any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
any_json = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(10**40), 10**40),
        st.floats(allow_nan=False, allow_infinity=False),
        any_text,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(any_text, inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(any_text.filter(lambda name: name != "id"), any_json, max_size=5))
def test_every_json_object_comes_back_exactly(record: dict[str, Any]) -> None:
    database = SessionDatabase(":memory:", full_sync=False)
    with database.transaction() as session:
        store = session.collection("c")
        assert typed(store.insert(record)) == typed({"id": 1, **record})
        assert json.dumps(store.get("1")) == json.dumps({"id": 1, **record})
        store.insert({"big": 10**30})
        assert json.dumps(store.list()[0]) == json.dumps([{"id": 1, **record}, {"id": 2, "big": 10**30}])
    database.close()


def test_numbers_keep_their_digits(store: ResourceStore) -> None:
    record = {
        "a": 1.0,
        "b": -0.0,
        "c": 2**63,
        "d": 2**64,
        "e": -(10**50),
        "f": 1e-320,
        "g": 0.1 + 0.2,
        "h": 1e22,
    }
    store.insert(record)
    assert repr(store.get(1)) == repr({"id": 1, **record})


@pytest.mark.parametrize(
    "record",
    [
        {"n": float("nan")},
        {"n": float("inf"), "x": None},
        {"t": "a\0b"},
        {"\0": 1},
        {"t": "\ud800"},
        {1: "key"},
        {"s": {1, 2}},
        {"b": b"bytes"},
        {"big": "x" * (1 << 20)},
        {"huge": 10**5000},
        [],
        "text",
        None,
        7,
    ],
)
def test_what_json_or_the_store_cannot_hold_is_refused(store: ResourceStore, record: Any) -> None:
    with pytest.raises(BadRecord):
        store.insert(record)
    assert store.list() == ([], 0)
    assert store.insert({"fine": True}) == {"id": 1, "fine": True}


def test_text_that_only_looks_like_u0000_is_kept(store: ResourceStore) -> None:
    assert store.insert({"t": "\\u0000"})["t"] == "\\u0000"
    assert store.search({"t": "\\u0000"}) == [{"id": 1, "t": "\\u0000"}]


@pytest.mark.parametrize(("levels", "kept"), [(90, True), (101, False), (5000, False)])
def test_nesting_is_bounded(store: ResourceStore, levels: int, kept: bool) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    if kept:
        assert store.insert({"v": value}) == {"id": 1, "v": value}
    else:
        with pytest.raises(BadRecord, match="levels"):
            store.insert({"v": value})


def test_ids_are_given_out_once(store: ResourceStore) -> None:
    assert store.insert({})["id"] == 1
    assert store.insert({"id": 7})["id"] == 7
    assert store.insert({"id": None})["id"] == 8
    assert store.delete(8)
    assert store.insert({})["id"] == 9
    assert store.insert({"id": "abc"})["id"] == "abc"
    assert store.insert({"id": "20"})["id"] == "20"
    assert store.insert({"id": -5})["id"] == -5
    assert store.insert({})["id"] == 21
    assert store.delete_where({}) == 7
    assert store.insert({})["id"] == 22


@pytest.mark.parametrize(("first", "second"), [(5, 5), ("a", "a"), (5, "5"), ("5", 5), (0, "0"), (-1, "-1")])
def test_two_ids_never_have_the_same_text(store: ResourceStore, first: Any, second: Any) -> None:
    store.insert({"id": first, "v": 1})
    with pytest.raises(DuplicateId) as refused:
        store.insert({"id": second, "v": 2})
    assert refused.value.status == 409
    assert store.list() == ([{"id": first, "v": 1}], 1)


def test_texts_that_are_no_integer_stay_apart_from_them(store: ResourceStore) -> None:
    for identifier in (1, "01", "+1", "1.0", " 1", "\u0661", "-0"):
        store.insert({"id": identifier})
    for identifier in (1, "01", "+1", "1.0", " 1", "\u0661", "-0"):
        assert store.get(identifier) == {"id": identifier}
    assert store.get("1") == {"id": 1}


@pytest.mark.parametrize("bad", ["", True, 1.5, [1], {}, "x" * 256, 2**63, -(2**63), "a\0", "\udfff"])
def test_what_can_be_no_id(store: ResourceStore, bad: Any) -> None:
    with pytest.raises(BadRecord):
        store.insert({"id": bad})
    assert store.get(bad) is None
    assert store.delete(bad) is False
    assert store.update(bad, {"x": 1}) is None


def test_when_the_integers_are_used_up(store: ResourceStore) -> None:
    last = 2**63 - 2
    assert store.insert({"id": last})["id"] == last
    with pytest.raises(BadRecord, match="used up"):
        store.insert({})
    assert store.get(str(last)) == {"id": last}
    assert store.insert({"id": "text"})["id"] == "text"


def test_replace_update_and_delete(store: ResourceStore) -> None:
    store.insert({"name": "Alice", "email": "a@b"})
    assert store.replace("1", {"name": "Bob", "id": 9}) == {"id": 1, "name": "Bob"}
    assert store.update("1", {"email": None, "id": "9"}) == {"id": 1, "name": "Bob", "email": None}
    assert store.merge_patch("1", {"name": {"a": None, "b": 1}, "email": None, "id": None}) == {
        "id": 1,
        "name": {"b": 1},
    }
    assert store.get(1) == {"id": 1, "name": {"b": 1}}
    assert store.replace(2, {}) is None
    assert store.delete("1") is True
    assert store.delete("1") is False
    assert store.get(1) is None


def test_what_is_returned_is_the_callers(store: ResourceStore) -> None:
    given_record = {"tags": ["a"]}
    store.insert(given_record)
    given_record["tags"].append("b")
    found = store.get(1)
    assert found is not None
    found["tags"].append("c")
    assert store.get(1) == {"id": 1, "tags": ["a"]}


def test_etags_never_come_back(database: SessionDatabase, store: ResourceStore) -> None:
    seen = set()
    for _ in range(3):
        store.insert({"id": 1, "v": 0})
        seen.add(store.etag("1"))
        store.update(1, {"v": 0})
        seen.add(store.etag(1))
        store.delete(1)
    database.session_store.drop("things")
    store.insert({"id": 1, "v": 0})
    seen.add(store.etag(1))
    assert len(seen) == 7
    assert all(tag is not None and tag.startswith('"r') and tag.endswith('"') for tag in seen)
    assert store.etag(2) is None


def test_the_collections_etag_moves_with_every_change(
    database: SessionDatabase, store: ResourceStore
) -> None:
    assert store.collection_etag() is None
    seen = []
    for change in (
        lambda: store.insert({"a": 1}),
        lambda: store.update(1, {"a": 1}),
        lambda: store.insert_many([{}, {}]),
        lambda: store.update_where({"id": "2"}, {"z": 1}),
        lambda: store.delete(1),
        lambda: store.delete_where({}),
        lambda: (database.session_store.drop("things"), store.insert({})),
    ):
        change()
        seen.append(store.collection_etag())
    assert len(set(seen)) == len(seen)
    store.get(1)
    store.delete(99)
    assert store.collection_etag() == seen[-1]


@pytest.mark.parametrize("form", ["{}", "*", ' "x" , {} ', '"a,b", {}, W/"y"', "{},"])
def test_if_match_that_matches(store: ResourceStore, form: str) -> None:
    store.insert({"v": 1})
    assert store.update(1, {"v": 2}, if_match=form.format(store.etag(1))) == {"id": 1, "v": 2}


@pytest.mark.parametrize("form", ['"r99"', "W/{}", '"x", "y"', '""'])
def test_if_match_that_does_not(store: ResourceStore, form: str) -> None:
    store.insert({"v": 1})
    old = store.etag(1)
    for attempt in (
        lambda tag: store.update(1, {"v": 2}, if_match=tag),
        lambda tag: store.replace(1, {"v": 2}, if_match=tag),
        lambda tag: store.merge_patch(1, {"v": 2}, if_match=tag),
        lambda tag: store.json_patch(1, [], if_match=tag),
        lambda tag: store.delete(1, if_match=tag),
    ):
        with pytest.raises(PreconditionFailed) as refused:
            attempt(form.format(old))
        assert refused.value.extra == {"etag": old}
    assert store.etag(1) == old
    assert store.update(2, {}, if_match=form) is None


@pytest.mark.parametrize("form", ["r7", '"r7', "", "'r7'", '"a" "b"', "x" * 5000])
def test_if_match_that_is_no_list_of_tags(store: ResourceStore, form: str) -> None:
    store.insert({})
    if form:
        with pytest.raises(BadQuery, match="If-Match"):
            store.delete(1, if_match=form)
    else:
        with pytest.raises(PreconditionFailed):
            store.delete(1, if_match=form)
    assert store.get(1) == {"id": 1}


def test_insert_many_is_all_or_nothing(store: ResourceStore) -> None:
    store.insert({"v": 0})
    before = (store.list(), store.etag(1), store.describe())
    with pytest.raises(DuplicateId, match="record 2:") as refused:
        store.insert_many([{"v": 1}, {"id": 50}, {"id": 1}, {"v": 3}])
    assert refused.value.extra == {"id": 1, "index": 2}
    assert (store.list(), store.etag(1), store.describe()) == before
    with pytest.raises(BadRecord, match="record 1:"):
        store.insert_many([{}, {"v": float("nan")}])
    assert (store.list(), store.etag(1), store.describe()) == before
    assert [one["id"] for one in store.insert_many([{}, {"id": 9}, {}])] == [2, 9, 10]
    assert store.insert_many([]) == []
    bad: Any
    for bad in ({}, "ab", None):
        with pytest.raises(BadRecord):
            store.insert_many(bad)


def test_too_many_records_are_counted(store: ResourceStore) -> None:
    with pytest.raises(BadRecord, match="there are 100001 records, the limit is 100000; send") as refused:
        store.insert_many([{}] * 100_001)
    assert refused.value.extra == {"limit": 100_000}
    assert store.count({}) == 0


def test_bulk_changes_are_guarded(store: ResourceStore) -> None:
    store.insert_many([{"k": "a"}, {"k": "a"}, {"k": "b"}])
    for change in (
        lambda: store.update_where({"k": "a"}, {"x": 1}, max_affected="1"),
        lambda: store.delete_where({"k": "a"}, max_affected=1),
    ):
        with pytest.raises(TooManyAffected) as refused:
            change()
        assert refused.value.extra == {"affected": 2, "limit": 1}
    assert store.count({"x__isnull": "true"}) == 3
    assert store.update_where({"k": "a"}, {"x": 1, "id": 9}, max_affected=2) == [
        {"id": 1, "k": "a", "x": 1},
        {"id": 2, "k": "a", "x": 1},
    ]
    assert store.delete_where({"k": "b"}, max_affected="1") == 1
    assert store.update_where({"k": "zz"}, {"x": 1}, max_affected=0) == []


def test_a_reading_transaction_refuses_every_write(database: SessionDatabase, store: ResourceStore) -> None:
    store.insert({})
    database.commit()
    database.begin(write=False)
    for write in (
        lambda: store.insert({}),
        lambda: store.insert_many([]),
        lambda: store.update(1, {}),
        lambda: store.replace(1, {}),
        lambda: store.merge_patch(1, {}),
        lambda: store.json_patch(1, []),
        lambda: store.delete(1),
        lambda: store.update_where({}, {}),
        lambda: store.delete_where({}),
        lambda: store.raise_auto_id(5),
        lambda: database.session_store.drop("things"),
    ):
        with pytest.raises(ReadOnly):
            write()
    assert store.list() == ([{"id": 1}], 1)


def test_collections(database: SessionDatabase) -> None:
    session = database.session_store
    assert session.names() == []
    assert not session.exists("b")
    assert session.collection("b").list() == ([], 0)
    assert session.names() == []
    session.collection("b").insert({})
    session.collection("a'; DROP TABLE r1; --").insert({"v": 1})
    assert session.names() == ["b", "a'; DROP TABLE r1; --"]
    assert session.collection("a'; DROP TABLE r1; --").get(1) == {"id": 1, "v": 1}
    assert session.drop("b")
    assert not session.drop("b")
    assert session.names() == ["a'; DROP TABLE r1; --"]
    assert session.collection("b").insert({})["id"] == 1
    for bad in ("", "x" * 129, "a\0", "\ud800", None, 5):
        with pytest.raises(BadQuery):
            session.collection(bad)  # type: ignore[arg-type]


def test_the_number_of_collections_is_bounded(database: SessionDatabase) -> None:
    for number in range(256):
        database.session_store.collection(f"c{number}").insert({})
    with pytest.raises(QuotaExceeded, match="256 collections"):
        database.session_store.collection("one more").insert({})
    assert database.session_store.drop("c0")
    assert database.session_store.collection("one more").insert({}) == {"id": 1}


def test_raise_auto_id_only_raises(store: ResourceStore) -> None:
    store.raise_auto_id("10")
    assert store.insert({})["id"] == 10
    store.raise_auto_id(3)
    assert store.insert({})["id"] == 11


class Crud(RuleBasedStateMachine):
    """Any sequence of single changes and rollbacks, against the model."""

    ids = st.one_of(st.integers(-1, 6), st.integers(-1, 6).map(str), st.sampled_from(["a", "b", "01"]))
    content = st.dictionaries(
        st.sampled_from(["v", "w"]), st.one_of(st.none(), st.integers(0, 3)), max_size=2
    )

    def __init__(self) -> None:
        super().__init__()
        self.database = SessionDatabase(":memory:", full_sync=False)
        self.committed: tuple[list[dict[str, Any]], int] = ([], 1)

    @initialize()
    def start(self) -> None:
        self.model = Model()
        self.database.begin(write=True)
        self.store = self.database.session_store.collection("things")

    @rule(identifier=st.one_of(st.none(), ids), content=content)
    def insert(self, identifier: object, content: dict[str, Any]) -> None:
        record = dict(content) if identifier is None else {"id": identifier, **content}
        try:
            expected = self.model.insert(record)
        except ModelDuplicate:
            with pytest.raises(DuplicateId):
                self.store.insert(record)
        else:
            assert typed(self.store.insert(record)) == typed(expected)

    @rule(identifier=ids, content=content)
    def replace(self, identifier: object, content: dict[str, Any]) -> None:
        assert self.store.replace(identifier, content) == self.model.replace(identifier, content)

    @rule(identifier=ids, content=content)
    def update(self, identifier: object, content: dict[str, Any]) -> None:
        assert self.store.update(identifier, content) == self.model.update(identifier, content)

    @rule(identifier=ids)
    def delete(self, identifier: object) -> None:
        assert self.store.delete(identifier) == self.model.delete(identifier)

    @rule(value=st.integers(0, 3).map(str))
    def delete_where(self, value: str) -> None:
        doomed = [record["id"] for record in self.model.find({"v": value})]
        assert self.store.delete_where({"v": value}) == len(doomed)
        for identifier in doomed:
            self.model.delete(identifier)

    @rule()
    def commit(self) -> None:
        self.database.commit()
        self.committed = ([dict(record) for record in self.model.records], self.model.next_id)
        self.database.begin(write=True)

    @rule()
    def rollback(self) -> None:
        self.database.rollback()
        records, self.model.next_id = self.committed
        self.model.records = [dict(record) for record in records]
        self.database.begin(write=True)

    @rule()
    def reopen_the_catalog(self) -> None:
        self.commit()
        self.database.catalog.forget()

    @invariant()
    def same(self) -> None:
        if hasattr(self, "store"):
            assert self.store.list() == (self.model.records, len(self.model.records))
            assert self.store.list(limit=0) == ([], len(self.model.records))
            assert self.store.describe()["auto_id"] == self.model.next_id

    def teardown(self) -> None:
        self.database.close()


TestCrud = Crud.TestCase
