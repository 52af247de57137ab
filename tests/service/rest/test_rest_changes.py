"""Conditional requests, patches of three kinds, preferences, dry runs, filtered changes and their guards."""

from __future__ import annotations

import pytest

from tests.service.rest.sessions import JSON, Session

MERGE = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


@pytest.fixture
def tasks(session: Session) -> Session:
    """Three tasks, two of them to do."""
    session.send("POST", "/tasks", [{"s": "todo", "n": 1}, {"s": "done", "n": 2}, {"s": "todo", "n": 3}])
    return session


def total(session: Session) -> int:
    return int(session.send("GET", "/tasks").body["page"]["total"])


def test_three_kinds_of_patch(tasks: Session) -> None:
    """By content type: members are set, null removes, operations."""
    assert tasks.send("PATCH", "/tasks/1", {"n": None}).body == {"id": 1, "s": "todo", "n": None}
    assert tasks.send("PATCH", "/tasks/1", {"n": None}, MERGE).body == {"id": 1, "s": "todo"}
    operations = [{"op": "test", "path": "/s", "value": "todo"}, {"op": "add", "path": "/n", "value": 5}]
    assert tasks.send("PATCH", "/tasks/1", operations, JSON_PATCH).body == {"id": 1, "s": "todo", "n": 5}
    failing = [{"op": "remove", "path": "/s"}, {"op": "test", "path": "/n", "value": 6}]
    assert tasks.send("PATCH", "/tasks/1", failing, JSON_PATCH).status == 409
    unknown = [{"op": "remove", "path": "/zzz"}]
    assert tasks.send("PATCH", "/tasks/1", unknown, JSON_PATCH).status == 422
    assert tasks.send("GET", "/tasks/1").body == {"id": 1, "s": "todo", "n": 5}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ([], JSON, 400),
        ({}, JSON_PATCH, 400),
        ([], MERGE, 400),
        (b"", JSON, 400),
        (b"x", {"Content-Type": "text/x"}, 415),
    ],
)
def test_wrong_patches(tasks: Session, body: object, headers: dict[str, str], status: int) -> None:
    """Each kind has its own type of body."""
    assert tasks.send("PATCH", "/tasks/1", body, headers).status == status


def test_a_patch_of_another_json_type_says_what_is_accepted(tasks: Session) -> None:
    """RFC 5789 section 2.2."""
    reply = tasks.send("PATCH", "/tasks/1", {}, {"Content-Type": "application/vnd.api+json"})
    assert reply.status == 415
    assert "merge-patch" in reply.headers["Accept-Patch"]


def test_the_tag_of_a_read_guards_a_write(tasks: Session) -> None:
    """A lost update is a 412; every write gives the next tag."""
    tag = tasks.send("GET", "/tasks/1?fields=n").headers["ETag"]
    first = tasks.send("PATCH", "/tasks/1", {"n": 7}, {"If-Match": tag})
    assert first.status == 200
    assert first.headers["ETag"] == tasks.send("GET", "/tasks/1").headers["ETag"] != tag
    for method, body in (("PATCH", {"n": 8}), ("PUT", {"n": 8}), ("DELETE", None)):
        assert tasks.send(method, "/tasks/1", body, {"If-Match": tag}).status == 412
    assert tasks.send("GET", "/tasks/1").body["n"] == 7
    assert tasks.send("DELETE", "/tasks/1", None, {"If-Match": f'"x", {first.headers["ETag"]}'}).status == 204
    assert tasks.send("PUT", "/tasks/1", {}, {"If-Match": "*"}).status == 404


def test_what_is_unchanged_is_304(tasks: Session) -> None:
    """Records and lists; weak tags count, other tags do not."""
    for target in ("/tasks/1", "/tasks", "/tasks/search?n=1", "/nothing"):
        tag = tasks.send("GET", target).headers["ETag"]
        for header in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            same = tasks.send("GET", target, None, {"If-None-Match": header})
            assert (same.status, same.body, same.headers["ETag"]) == (304, None, tag)
        assert tasks.send("GET", target, None, {"If-None-Match": '"x"'}).status == 200
        assert tasks.send("GET", target, None, {"If-Match": '"x"'}).status == 412
        assert tasks.send("GET", target, None, {"If-Match": tag}).status == 200
    assert tasks.send("GET", "/tasks/9", None, {"If-None-Match": "*"}).status == 404


def test_a_collections_tag_follows_every_change(tasks: Session) -> None:
    """Also deletions."""
    first = tag = tasks.send("GET", "/tasks").headers["ETag"]
    seen = {first}
    for method, target, body in (
        ("POST", "/tasks", {"n": 4}),
        ("PATCH", "/tasks/1", {"n": 5}),
        ("DELETE", "/tasks/4", None),
        ("DELETE", "/tasks?all=true&n=5", None),
    ):
        tasks.send(method, target, body)
        tag = tasks.send("GET", "/tasks").headers["ETag"]
        assert tag not in seen
        seen.add(tag)
    stale = tasks.send("POST", "/tasks", {}, {"If-Match": first})
    assert stale.status == 412
    assert tasks.send("POST", "/tasks", {}, {"If-Match": tag}).status == 201


def test_none_match_on_writes(tasks: Session) -> None:
    """412 where the record, or for POST the collection, is already there."""
    assert tasks.send("PUT", "/tasks/1", {}, {"If-None-Match": "*"}).status == 412
    assert tasks.send("POST", "/tasks", {}, {"If-None-Match": "*"}).status == 412
    assert tasks.send("POST", "/others", {}, {"If-None-Match": "*"}).status == 201
    assert tasks.send("POST", "/more", {}, {"If-Match": "*"}).status == 412


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("POST", "/tasks", {"n": 9}, 201),
        ("POST", "/tasks", [{"n": 9}], 201),
        ("PUT", "/tasks/1", {"n": 9}, 204),
        ("PATCH", "/tasks/1", {"n": 9}, 204),
        ("PATCH", "/tasks?all=true", {"n": 9}, 204),
        ("DELETE", "/tasks?all=true", None, 204),
    ],
)
def test_minimal_answers(tasks: Session, method: str, target: str, body: object, status: int) -> None:
    """No body, and the preference is confirmed."""
    reply = tasks.send(method, target, body, {"Prefer": "return=minimal"})
    assert (reply.status, reply.body) == (status, None)
    assert reply.headers["Preference-Applied"] == "return=minimal"


def test_a_deleted_record_may_be_returned(tasks: Session) -> None:
    """With return=representation."""
    reply = tasks.send("DELETE", "/tasks/2", None, {"Prefer": "return=representation"})
    assert (reply.status, reply.body) == (200, {"id": 2, "s": "done", "n": 2})
    many = tasks.send("DELETE", "/tasks?s=todo&all=true", None, {"Prefer": "return=representation"})
    assert (many.status, [task["id"] for task in many.body]) == (200, [1, 3])
    assert many.headers["Preference-Applied"] == "return=representation"
    assert total(tasks) == 0


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/tasks", {"n": 9}),
        ("POST", "/others?_embed=tasks", {"tasks": [{}]}),
        ("PUT", "/tasks/1", {"n": 9}),
        ("PATCH", "/tasks/1", {"n": 9}),
        ("DELETE", "/tasks/1", None),
        ("DELETE", "/tasks?all=true", None),
        ("PATCH", "/tasks?all=true", {"n": 9}),
    ],
)
def test_dry_runs_answer_and_change_nothing(tasks: Session, method: str, target: str, body: object) -> None:
    """The answer of the real run, and the state from before; not even an id is used up."""
    before = [tasks.send("GET", path).body for path in ("/", "/tasks")]
    dry = tasks.send(method, target, body, {"Prefer": "tx=rollback"})
    assert dry.headers["Preference-Applied"] == "tx=rollback"
    assert [tasks.send("GET", path).body for path in ("/", "/tasks")] == before
    real = tasks.send(method, target, body)
    assert (dry.status, dry.body) == (real.status, real.body)
    assert "ETag" not in dry.headers


def test_filtered_changes_need_a_word(tasks: Session) -> None:
    """all=true, or a bound; without it, or with anything not understood, nothing happens."""
    for target in ("/tasks", "/tasks?s=todo", "/tasks?s=todo&all=yes", "/tasks?all=true&s__eqq=todo"):
        assert tasks.send("DELETE", target).status == 400
        assert tasks.send("PATCH", target, {"n": 0}).status == 400
    for target in ("/tasks?all=true&limit=1", "/tasks?all=true&_page=1", "/tasks?all=true&n_gte=1"):
        assert tasks.send("DELETE", target).status == 400
    assert tasks.send("DELETE", "/tasks?all=true&all=true").status == 400
    assert total(tasks) == 3
    changed = tasks.send("PATCH", "/tasks?s=todo&all=true", {"s": "open"})
    assert (changed.status, [record["id"] for record in changed.body]) == (200, [1, 3])
    assert tasks.send("DELETE", "/tasks?s=open&all=true").body == {"deleted": 2}
    assert total(tasks) == 1


@pytest.mark.parametrize("headers", [JSON, MERGE, JSON_PATCH])
def test_filtered_changes_are_bounded(tasks: Session, headers: dict[str, str]) -> None:
    """One record more than max-affected and nothing is changed."""
    body = [{"op": "add", "path": "/n", "value": 0}] if headers is JSON_PATCH else {"n": 0}
    few = {**headers, "Prefer": 'x="max-affected=9", max-affected=1'}
    assert tasks.send("PATCH", "/tasks?s=todo", body, few).status == 400
    enough = {**headers, "Prefer": "max-affected=2, return=representation"}
    changed = tasks.send("PATCH", "/tasks?s=todo", body, enough)
    assert (changed.status, [record["n"] for record in changed.body]) == (200, [0, 0])
    assert changed.headers["Preference-Applied"] == "max-affected, return=representation"
    assert tasks.send("DELETE", "/tasks?s=todo", None, {"Prefer": "max-affected=1"}).status == 400
    assert tasks.send("DELETE", "/tasks?s=todo", None, {"Prefer": "max-affected=2"}).body == {"deleted": 2}
    assert tasks.send("DELETE", "/tasks", None, {"Prefer": "max-affected=x"}).status == 400


def test_filtered_changes_stay_below_their_parent(session: Session) -> None:
    """Children of others are not touched."""
    session.send("POST", "/projects", [{}, {}])
    for parent in (1, 2):
        session.send("POST", f"/projects/{parent}/tasks", [{"s": "todo"}, {"s": "todo"}])
    assert len(session.send("PATCH", "/projects/1/tasks?s=todo&all=true", {"s": "x"}).body) == 2
    assert session.send("DELETE", "/projects/2/tasks?all=true").body == {"deleted": 2}
    assert session.send("DELETE", "/projects/3/tasks?all=true").status == 404
    assert [task["s"] for task in session.send("GET", "/tasks").body["items"]] == ["x", "x"]


def test_delete_reads_no_body(tasks: Session) -> None:
    """Rather than ignoring what it may say."""
    assert tasks.send("DELETE", "/tasks?all=true", {"ids": [1]}).status == 400
    assert total(tasks) == 3


def test_an_array_changes_each_record_that_it_names(session: Session) -> None:
    session.send("POST", "/tasks", [{"n": 1}, {"n": 2}, {"n": 3}])
    changed = session.send("PATCH", "/tasks", [{"id": 3, "n": 30}, {"id": "1", "m": None}])
    assert (changed.status, changed.body) == (200, [{"id": 3, "n": 30}, {"id": 1, "n": 1, "m": None}])
    minimal = session.send("PATCH", "/tasks", [{"id": 2, "n": 20}], {"Prefer": "return=minimal"})
    assert (minimal.status, minimal.body) == (204, None)
    listed = session.send("GET", "/tasks").body["items"]
    assert listed == [{"id": 1, "n": 1, "m": None}, {"id": 2, "n": 20}, {"id": 3, "n": 30}]


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("/tasks", [{"id": 1, "n": 9}, {"id": 7}], 404),
        ("/tasks", [{"id": 1, "n": 9}, {"n": 1}], 400),
        ("/tasks", [{"id": 1, "n": 9}, None], 400),
        ("/tasks", [{"id": [1]}], 400),
        ("/tasks?all=true", [{"id": 1, "n": 9}], 400),
        ("/tasks?n=1", [{"id": 1, "n": 9}], 400),
    ],
)
def test_an_array_of_changes_is_all_or_nothing(
    target: str, body: object, status: int, session: Session
) -> None:
    session.send("POST", "/tasks", {"n": 1})
    assert session.send("PATCH", target, body).status == status
    assert session.send("GET", "/tasks/1").body == {"id": 1, "n": 1}
