"""What a new record takes over from those before it, and both spellings of a foreign key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import BadQuery
from sandbox_runtime.store.session_store import SessionStore


@pytest.fixture
def session() -> Iterator[SessionStore]:
    opened = SessionDatabase(":memory:", full_sync=False)
    opened.begin(write=True)
    yield opened.session_store
    opened.rollback()
    opened.close()


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("id", True),
        ("name", True),
        ("address", True),
        ("address.city", True),
        ("address.town", False),
        ("nme", False),
        ("name.first", False),
        ("tags.0", True),
        ("a\\.b", True),
        ("a.b", False),
    ],
)
def test_which_fields_there_are(session: SessionStore, field: str, expected: bool) -> None:
    """As written so far; what counts into an array may be there."""
    things = session.collection("things")
    things.insert({"name": "x", "address": {"city": None}, "tags": ["a"], "a.b": 1})
    things.delete(1)
    assert session.exists("things", field) is expected
    assert session.exists("nothing", field) is False


def test_what_cannot_be_a_field(session: SessionStore) -> None:
    with pytest.raises(BadQuery):
        session.exists("things", "a." * 40)


def test_a_collection_that_was_learned_in_part_may_have_any_field(session: SessionStore) -> None:
    session.collection("things").insert({f"f{at}": at for at in range(1000)})
    assert session.exists("things", "zzz") is True


@pytest.mark.parametrize(
    ("ids", "expected"), [([], 1), ([7], 8), (["a"], "1"), (["a", "7"], "8"), (["a", 7], 8), ([7, "a"], 8)]
)
def test_ids_alike(session: SessionStore, ids: list[object], expected: object) -> None:
    """A text where all were texts, an integer otherwise, and always an integer when nobody asks."""
    things = session.collection("things")
    things.insert_many([{"id": one} for one in ids])
    assert things.insert({"x": 1}, alike=True) == {"id": expected, "x": 1}
    following = things.insert_many([{}, {}], alike=True)
    assert [type(record["id"]) for record in following] == [type(expected)] * 2
    assert isinstance(things.insert({})["id"], int)
    assert len({str(record["id"]) for record in things.list()[0]}) == len(ids) + 4


def test_both_spellings_of_a_foreign_key(session: SessionStore) -> None:
    """Embedded once each, expanded, found by a link of both names, deleted with their parent."""
    projects, tasks = session.collection("projects"), session.collection("tasks")
    projects.insert_many([{"n": "one"}, {"n": "two"}])
    tasks.insert_many(
        [
            {"project_id": 1},
            {"projectId": 1},
            {"projectId": 1, "project_id": 1},
            {"project_id": "2"},
            {"project_id": None},
        ]
    )
    embedded = projects.embed(projects.list()[0], "tasks")
    assert [[task["id"] for task in one["tasks"]] for one in embedded] == [[2, 3, 1], [4]]
    expanded = tasks.expand(tasks.list()[0], "project")
    assert [one.get("project", {}).get("n") for one in expanded] == ["one", "one", "one", "two", None]
    found, total = tasks.find({}, links=[(("projectId", "project_id"), 2)])
    assert ([one["id"] for one in found], total) == ([4], 1)
    projects.delete(1, cascade=True)
    assert [one["id"] for one in tasks.list()[0]] == [4, 5]


def test_a_link_that_no_record_can_have_finds_nothing(session: SessionStore) -> None:
    tasks = session.collection("tasks")
    tasks.insert({"title": "a"})
    assert tasks.find({}, links=[(("projectId", "project_id"), 1)]) == ([], 0)
    assert tasks.delete_where({}, links=[(("projectId", "project_id"), 1)]) == 0
