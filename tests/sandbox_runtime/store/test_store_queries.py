"""Filters, sorts and pages: against the naive model, and the rules one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import BadQuery
from sandbox_runtime.store.resource import ResourceStore
from tests.sandbox_runtime.store.store_model import Model

FIELDS = ("a", "b", "address.city", "address", "tags", "tags.0", "x y", "Straße", "it's", 'q"t', "b\\\\s", "")
TEXTS = (
    "",
    "1",
    "01",
    "true",
    "null",
    "Ali",
    "ALI",
    "alice",
    "Straße",
    "STRASSE",
    "a%b_c",
    "ß",
    "Ǆ",
    '"1"',
    "10",
    "é\t",
)

numbers = st.one_of(
    st.integers(-3, 12), st.sampled_from([0.5, 1.0, -2.25, 1e16, 2**53 + 1, -(2**63), 1e-7, 123456.789])
)
texts = st.one_of(st.sampled_from(TEXTS), st.text("aAbBß%_é,1", max_size=4))
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.one_of(
    scalars, st.lists(scalars, max_size=3), st.dictionaries(st.sampled_from("ab"), scalars, max_size=1)
)
records = st.fixed_dictionaries(
    {},
    optional={
        "a": values,
        "b": scalars,
        "address": st.one_of(st.fixed_dictionaries({}, optional={"city": values}), scalars),
        "tags": st.lists(scalars, max_size=3),
        "x y": scalars,
        "Straße": scalars,
        "it's": scalars,
        'q"t': scalars,
        "b\\s": scalars,
        "": scalars,
    },
)
query_texts = st.one_of(
    texts, numbers.map(str), st.sampled_from(["1.0", "1e0", "-0", "TRUE", "false", "0.50", '"'])
).filter(lambda text: "," not in text)
plain_fields = st.sampled_from([field for field in FIELDS if "\\" not in field])


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for _ in range(draw(st.integers(0, 3))):
        field = draw(plain_fields)
        operator = draw(
            st.sampled_from(
                "eq eq ne gt gte lt lte in contains icontains startswith endswith isnull like".split()
            )
        )
        one = query_texts
        if operator == "isnull":
            one = st.sampled_from(["true", "false"])
        elif operator == "in":
            one = st.lists(query_texts, min_size=1, max_size=3).map(",".join)
        elif operator in {"eq", "ne"}:
            one = st.one_of(query_texts, scalars.filter(lambda value: not isinstance(value, str)))
        key = field if operator == "eq" else f"{field}__{operator}"
        result[key] = draw(st.one_of(one, st.lists(one, min_size=1, max_size=3)))
    return result


def stored(content: list[dict[str, Any]]) -> tuple[SessionDatabase, ResourceStore, Model]:
    database = SessionDatabase(":memory:", full_sync=False)
    database.begin(write=True)
    store = database.session_store.collection("things")
    model = Model()
    for record in content:
        assert store.insert(record) == model.insert(record)
    return database, store, model


def typed(value: object) -> object:
    """With the type of each value beside it: to Python 1 equals 1.0 and True."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return (type(value), value)


@given(
    content=st.lists(records, max_size=8),
    wanted=filters(),
    q=st.one_of(st.none(), texts, numbers.map(str)),
    keys=st.lists(st.tuples(st.sampled_from(["", "-"]), plain_fields.filter(bool)), max_size=3),
    limit=st.one_of(st.none(), st.integers(0, 4)),
    offset=st.integers(0, 4),
)
def test_every_query_gives_what_the_model_gives(  # noqa: PLR0913, PLR0917 - each is one part of a query
    content: list[dict[str, Any]],
    wanted: dict[str, Any],
    q: str | None,
    keys: list[tuple[str, str]],
    limit: int | None,
    offset: int,
) -> None:
    sort = ",".join(sign + field for sign, field in keys) or None
    database, store, model = stored(content)
    items, total = store.find(wanted, q=q, sort=sort, limit=limit, offset=offset)
    expected = model.find(wanted, q, sort)
    end = None if limit is None else offset + limit
    assert typed(items) == typed(expected[offset:end])
    assert total == len(expected)
    assert store.count(wanted, q=q) == len(expected)
    database.rollback()
    database.close()


@given(content=st.lists(records, max_size=8), wanted=filters())
def test_bulk_changes_hit_what_the_model_hits(content: list[dict[str, Any]], wanted: dict[str, Any]) -> None:
    database, store, model = stored(content)
    matching = [record["id"] for record in model.find(wanted)]
    changed = store.update_where(wanted, {"mark": "here"})
    assert [record["id"] for record in changed] == matching
    assert [record["id"] for record in store.search({"mark": "here"})] == matching
    for identifier in matching:
        model.update(identifier, {"mark": "here"})
    assert store.delete_where({"mark": "here"}) == len(matching)
    left = [record for record in model.records if record["id"] not in matching]
    assert store.list() == (left, len(left))
    database.rollback()
    database.close()


PEOPLE: list[dict[str, Any]] = [
    {"name": "Alice", "age": 30, "tags": ["red", 1], "address": {"city": "Bonn"}, "zip": "01"},
    {"name": "alibi", "age": "30", "tags": [], "address": {"city": "Ulm"}, "zip": 1},
    {"name": "Bob", "age": 7, "address": None, "ok": True, "zip": "1"},
    {"name": "Straße 5%", "age": None, "ok": "true", "zip": 1.0},
]


@pytest.fixture
def people() -> Iterator[ResourceStore]:
    database, store, _ = stored(PEOPLE)
    yield store
    database.rollback()
    database.close()


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, [1, 2, 3, 4]),
        ({"age": "30"}, [1, 2]),
        ({"age": 30}, [1]),
        ({"age": '"30"'}, [2]),
        ({"age": ["7", "30"]}, [1, 2, 3]),
        ({"age__ne": "30"}, [3, 4]),
        ({"age__ne": ["30", "7"]}, [4]),
        ({"age__gte": "8"}, [1]),
        ({"age__gte": "3"}, [1, 2, 3]),
        ({"age__lt": "100"}, [1, 3]),
        ({"age": "null"}, [4]),
        ({"age__isnull": "true"}, [4]),
        ({"address__isnull": "true"}, [3, 4]),
        ({"address__isnull": "false"}, [1, 2]),
        ({"address": "null"}, [3]),
        ({"address.city": "Ulm"}, [2]),
        ({"ok": "true"}, [3, 4]),
        ({"ok": True}, [3]),
        ({"zip": "1"}, [2, 3, 4]),
        ({"zip": "01"}, [1]),
        ({"zip": "1.0"}, [2, 4]),
        ({"zip__in": "01,1.0"}, [1, 2, 4]),
        ({"name__contains": "Ali"}, [1]),
        ({"name__icontains": "ali"}, [1, 2]),
        ({"name__icontains": "STRASSE"}, [4]),
        ({"name__startswith": "ali"}, [2]),
        ({"name__endswith": "5%"}, [4]),
        ({"name__like": "al%"}, [1, 2]),
        ({"name__like": "%\\%"}, [4]),
        ({"name__like": "b_b"}, [3]),
        ({"name__like": "ali"}, []),
        ({"tags__contains": "red"}, [1]),
        ({"tags__contains": "1"}, [1]),
        ({"tags.1": "1"}, [1]),
        ({"id": "2"}, [2]),
        ({"id__gt": "2"}, [3, 4]),
        ({"nothing": "x"}, []),
        ({"name": []}, []),
    ],
)
def test_what_a_filter_finds(people: ResourceStore, wanted: dict[str, Any], ids: list[int]) -> None:
    assert [record["id"] for record in people.search(wanted)] == ids


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        (None, [1, 2, 3, 4]),
        ("age", [3, 1, 2, 4]),
        ("-age", [2, 1, 3, 4]),
        ("zip,-id", [4, 2, 1, 3]),
        ("address.city", [1, 2, 3, 4]),
        ("-address.city", [2, 1, 3, 4]),
        ("name", [1, 3, 4, 2]),
        (["-ok", "id"], [3, 4, 1, 2]),
        ("nothing", [1, 2, 3, 4]),
        ("-id", [4, 3, 2, 1]),
    ],
)
def test_what_a_sort_gives(people: ResourceStore, sort: object, ids: list[int]) -> None:
    assert [record["id"] for record in people.list(sort=sort)[0]] == ids


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("name", {"name": "Alice"}),
        ("id,address.city", {"id": 1, "address": {"city": "Bonn"}}),
        ("address.city,address", {"address": {"city": "Bonn"}}),
        ("address,address.city", {"address": {"city": "Bonn"}}),
        ("tags.0", {"tags": ["red", 1]}),
        (["name", "nothing"], {"name": "Alice"}),
        ("", {}),
    ],
)
def test_fields_keep_their_place(people: ResourceStore, fields: object, expected: dict[str, Any]) -> None:
    assert people.find({"id": "1"}, fields=fields) == ([expected], 1)
    assert people.get(1) == {"id": 1, **PEOPLE[0]}


def test_links_hold_besides_the_filters(people: ResourceStore) -> None:
    assert people.find({"zip": "01"}, links=[("zip", 1)]) == ([], 0)
    assert [one["id"] for one in people.find({}, links=[("zip", 1)])[0]] == [2, 3, 4]
    assert [one["id"] for one in people.find({}, links=[(("nothing", "age"), 7)])[0]] == [3]


def test_numbers_of_a_page_may_be_texts(people: ResourceStore) -> None:
    assert people.list(limit="2", offset="1") == people.list(limit=2, offset=1)
    assert [one["id"] for one in people.list(limit="2", offset="1")[0]] == [2, 3]
    assert people.list(limit=0) == ([], 4)
    assert people.list(limit=5, offset=9) == ([], 4)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"filters": 5}, "the filters are 5"),
        ({"filters": {"age__gtt": "3"}}, "'age__gtt'"),
        ({"filters": {"age__isnull": "maybe"}}, "'maybe'"),
        ({"filters": {"age__gt": True}}, "True"),
        ({"filters": {"age": {"$gt": 1}}}, "a dict"),
        ({"filters": {"age": float("nan")}}, "nan"),
        ({"filters": {"name__contains": "\ud800"}}, "surrogate"),
        ({"filters": {"name__icontains": 5}}, "5"),
        ({"filters": {}, "limit": -1}, "limit is -1"),
        ({"filters": {}, "limit": "ten"}, "limit is 'ten'"),
        ({"filters": {}, "limit": ""}, "limit is ''"),
        ({"filters": {}, "offset": "99999999999999999999"}, "offset"),
        ({"filters": {}, "sort": 5}, "sort is 5"),
        ({"filters": {}, "q": 5}, "q is not a text"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    people: ResourceStore, arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(BadQuery) as refused:
        people.find(**arguments)
    assert named in refused.value.detail
    assert refused.value.status == 400


def test_a_field_may_be_named_like_an_operator() -> None:
    database, store, _ = stored(
        [{"n__gt": 5, "n": 1}, {"n__gt": 1, "n": 9}, {"__typename": "User"}, {"a__zz": 1}]
    )
    assert [one["id"] for one in store.search({"n__gt__eq": "5"})] == [1]
    assert [one["id"] for one in store.search({"n__gt": "5"})] == [2]
    assert [one["id"] for one in store.search({"__typename": "User"})] == [3]
    assert [one["id"] for one in store.search({"a__zz": "1"})] == [4]
    database.rollback()
    database.close()


@pytest.mark.parametrize(
    "name", ["a.b", "x,y", "-z", "a\\b", 'quo"te', "it's", "[0]", "$", "é\u2028", "", " ", "0", "--", "?1"]
)
def test_any_name_can_be_asked_for(name: str) -> None:
    escaped = name.replace("\\", "\\\\").replace(".", "\\.")
    listed = escaped.replace(",", "\\,")
    sort_key = "\\" + listed if listed.startswith("-") else listed
    database, store, _ = stored([{name: 2}, {name: 1}, {"other": 1}])
    assert [one["id"] for one in store.search({escaped: "1"})] == [2]
    assert [one["id"] for one in store.search({f"{escaped}__gte": "1"})] == [1, 2]
    if name:
        assert [one["id"] for one in store.list(sort=sort_key)[0]] == [2, 1, 3]
        assert store.find({"id": "1"}, fields=listed)[0] == [{name: 2}]
    database.rollback()
    database.close()
