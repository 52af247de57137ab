"""What a collection knows of its records, the indexes it makes, and relations between collections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox_runtime.foreign_keys import singular
from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.learned import Learned


@pytest.fixture
def database() -> Iterator[SessionDatabase]:
    opened = SessionDatabase(":memory:", full_sync=False)
    yield opened
    opened.close()


def test_types_are_counted_and_never_frozen(database: SessionDatabase) -> None:
    with database.transaction() as session:
        store = session.collection("users")
        store.insert({"name": "Alice", "age": 30, "address": {"city": "Bonn"}, "tags": ["a", 1]})
        store.insert({"name": None, "age": 30.5})
        store.update(2, {"age": "old"})
        store.replace(2, {"name": True})
        store.delete(1)
    database.catalog.forget()
    with database.transaction(write=False) as session:
        assert session.collection("users").describe() == {
            "name": "users",
            "count": 1,
            "auto_id": 3,
            "example": {"id": 2, "name": True},
            "records": 4,
            "epoch": 12,
            "complete": True,
            "fields": {
                "id": {"types": {"integer": 4}, "required": 1.0},
                "name": {"types": {"string": 1, "null": 2, "boolean": 1}, "required": 1.0},
                "age": {"types": {"integer": 1, "number": 1, "string": 1}, "required": 0.75},
                "address": {
                    "types": {"object": 1},
                    "required": 0.25,
                    "fields": {"city": {"types": {"string": 1}, "required": 1.0}},
                },
                "tags": {
                    "types": {"array": 1},
                    "required": 0.25,
                    "items": {"types": {"string": 1, "integer": 1}},
                },
            },
        }
        assert session.collection("nothing").describe() == {
            "name": "nothing",
            "count": 0,
            "auto_id": 1,
            "example": None,
            "records": 0,
            "epoch": 0,
            "complete": True,
            "fields": {},
        }


def test_the_epoch_moves_only_with_what_is_new(database: SessionDatabase) -> None:
    epochs = []
    for record in ({"a": 1}, {"a": 2}, {"a": "x"}, {"a": 3, "b": 1}, {"b": 2}, {}):
        with database.transaction() as session:
            store = session.collection("c")
            store.insert(record)
            epochs.append(store.describe()["epoch"])
    assert epochs == [2, 2, 3, 4, 4, 4]


@pytest.mark.parametrize(
    "hostile",
    [
        {f"field {number}": 1 for number in range(5000)},
        {"n" * 1000: 1},
        {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}},
        {"a": [[[[[[[1]]]]]]]},
    ],
)
def test_what_is_learned_is_bounded_and_says_so(hostile: dict[str, Any], database: SessionDatabase) -> None:
    with database.transaction() as session:
        store = session.collection("c")
        for _ in range(3):
            store.insert(hostile)
        assert store.describe()["complete"] is False
        field = next(iter(hostile))
        assert store.count({f"{field[:200]}__isnull": "false"}) == (3 if len(field) <= 200 else 0)
    learned = Learned(None)
    learned.observe(hostile)
    assert len(learned.text) < 40_000


def test_filters_stay_right_where_too_much_was_seen(database: SessionDatabase) -> None:
    with database.transaction() as session:
        store = session.collection("c")
        store.insert({f"field {number}": 1 for number in range(5000)})
        store.insert({"field 4999": "1", "late": "1"})
        assert [one["id"] for one in store.search({"field 4999": "1"})] == [1, 2]
        assert [one["id"] for one in store.search({"late": "1"})] == [2]


def indexed(database: SessionDatabase) -> list[tuple[int, str]]:
    return database.connection.rows("SELECT collection, path FROM indexes ORDER BY collection, path")


def fill(database: SessionDatabase, name: str, count: int = 1500) -> None:
    with database.transaction() as session:
        session.collection(name).insert_many(
            [
                {"n": n % 50, "s": f"s{n % 3}", "a": {"b": n}, "m": str(n) if n % 2 else n}
                for n in range(count)
            ]
        )


def test_a_field_that_is_asked_for_often_gets_an_index(database: SessionDatabase) -> None:
    fill(database, "c")
    answers = []
    for _ in range(5):
        with database.transaction(write=False) as session:
            store = session.collection("c")
            answers.append(
                (
                    store.find({"n": "7", "s": "s1"}, limit=3),
                    store.find({"m__gte": "1400"}, sort="-a.b", limit=2),
                    store.find({"a.b": ["3", "4"]}),
                )
            )
    assert indexed(database) == [(1, "a.b"), (1, "m"), (1, "n"), (1, "s")]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0][1] == 10


@pytest.mark.parametrize(
    "asked", [{"n__ne": "1"}, {"n__isnull": "true"}, {"s__icontains": "x"}, {"id": "5"}, {"0": "1"}]
)
def test_no_index_where_none_would_help(database: SessionDatabase, asked: dict[str, str]) -> None:
    fill(database, "c")
    for _ in range(5):
        with database.transaction(write=False) as session:
            session.collection("c").find(asked)
    assert indexed(database) == []


def test_an_index_can_wait_until_the_reply_has_left(database: SessionDatabase) -> None:
    fill(database, "c")
    for _ in range(4):
        database.begin(write=False)
        database.session_store.collection("c").find({"n": "1"})
        database.commit(maintain=False)
    assert indexed(database) == []
    database.maintain()
    assert indexed(database) == [(1, "n")]


def test_small_collections_get_none(database: SessionDatabase) -> None:
    fill(database, "c", 900)
    for _ in range(5):
        with database.transaction(write=False) as session:
            session.collection("c").find({"n": "1"})
    assert indexed(database) == []


def test_indexes_are_bounded_and_follow_what_is_asked(database: SessionDatabase) -> None:
    fill(database, "c", 1100)
    for number in range(10):
        for _ in range(4):
            with database.transaction(write=False) as session:
                session.collection("c").find({f"f{number}": "1"})
    assert indexed(database) == [(1, f"f{number}") for number in range(6)]


def test_an_index_goes_with_its_collection(database: SessionDatabase) -> None:
    fill(database, "c")
    for _ in range(4):
        with database.transaction(write=False) as session:
            session.collection("c").find({"n": "1"})
    assert indexed(database) == [(1, "n")]
    with database.transaction() as session:
        session.drop("c")
    assert indexed(database) == []
    fill(database, "c")
    with database.transaction(write=False) as session:
        assert session.collection("c").find({"n": "1"}, limit=0) == ([], 30)


def test_writes_and_answers_with_an_index_agree(database: SessionDatabase) -> None:
    fill(database, "c")
    for _ in range(4):
        with database.transaction(write=False) as session:
            session.collection("c").find({"n": "7"})
    assert indexed(database) == [(1, "n")]
    with database.transaction() as session:
        store = session.collection("c")
        store.insert({"n": "7"})
        store.insert({"n": 7.0})
        store.update(8, {"n": True})
        store.delete(58)
        found, total = store.find({"n": "7"})
        assert total == len(found) == 30
        assert {record["n"] for record in found} == {7, "7"}
        assert store.count({"n": "true"}) == 1


@pytest.mark.parametrize(
    ("plural", "single"),
    [
        ("projects", "project"),
        ("categories", "category"),
        ("boxes", "box"),
        ("classes", "class"),
        ("houses", "house"),
        ("addresses", "address"),
        ("status", "status"),
        ("class", "class"),
        ("people", "person"),
        ("salesPeople", "salesPerson"),
        ("movies", "movie"),
        ("analysis", "analysis"),
        ("s", "s"),
        ("", ""),
        ("data", "datum"),
        ("metadata", "metadata"),
        ("queues", "queue"),
        ("Boxes", "Box"),
    ],
)
def test_singular(plural: str, single: str) -> None:
    assert singular(plural) == single


def test_embed_and_expand(database: SessionDatabase) -> None:
    with database.transaction() as session:
        posts, comments = session.collection("posts"), session.collection("comments")
        posts.insert_many([{"t": "one"}, {"t": "two"}, {"id": "x"}])
        comments.insert_many(
            [{"postId": 1}, {"postId": "1"}, {"postId": 2}, {"postId": "x"}, {"postId": None}, {}]
        )
        embedded = posts.embed(posts.list()[0], "comments")
        assert [[one["id"] for one in post["comments"]] for post in embedded] == [[1, 2], [3], [4]]
        assert posts.embed(posts.list()[0], "nothing")[0] == {"id": 1, "t": "one", "nothing": []}
        for parent in ("post", "posts"):
            expanded = comments.expand(comments.list()[0], parent)
            assert [one.get("post", {}).get("id") for one in expanded] == [1, 1, 2, "x", None, None]
        assert comments.expand(comments.list()[0], "author") == comments.list()[0]
        assert posts.get(1) == {"id": 1, "t": "one"}


def test_deleting_cascades_only_when_asked(database: SessionDatabase) -> None:
    with database.transaction() as session:
        users, posts, comments = (session.collection(name) for name in ("users", "posts", "comments"))
        users.insert_many([{}, {}, {"userId": 1}])
        posts.insert_many([{"userId": 1}, {"userId": "1"}, {"userId": 2}])
        comments.insert_many([{"postId": 1}, {"postId": "2"}, {"postId": 3}])
        assert users.delete(2)
        assert posts.count({}) == 3
        assert users.delete("1", cascade=True)
        assert [one["id"] for one in users.list()[0]] == []
        assert [one["id"] for one in posts.list()[0]] == [3]
        assert [one["id"] for one in comments.list()[0]] == [3]
        loop = session.collection("nodes")
        loop.insert_many([{"nodeId": 2}, {"nodeId": 1}, {"nodeId": 3}])
        assert loop.delete(1, cascade=True)
        assert [one["id"] for one in loop.list()[0]] == [3]
        assert not loop.delete(1, cascade=True)
