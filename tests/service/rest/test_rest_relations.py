"""Nested paths, embedded children, expanded parents, children created with their parent."""

from __future__ import annotations

import pytest

from tests.service.rest.sessions import Session


@pytest.fixture
def projects(session: Session) -> Session:
    """Two projects, one with a text as id, and a task in each."""
    session.send("POST", "/projects", [{"name": "one"}, {"id": "two", "name": "two"}])
    session.send("POST", "/projects/1/tasks", {"title": "a"})
    session.send("POST", "/projects/two/tasks", {"title": "b"})
    return session


def test_children_are_created_below_their_parent(projects: Session) -> None:
    """The foreign key has the type of the parent's id; the path wins over the body."""
    tasks = projects.send("GET", "/tasks").body["items"]
    assert tasks == [
        {"id": 1, "title": "a", "projectId": 1},
        {"id": 2, "title": "b", "projectId": "two"},
    ]
    created = projects.send("POST", "/projects/1/tasks", {"title": "c", "projectId": 99})
    assert (created.status, created.headers["Location"]) == (201, "/tasks/3")
    assert created.body["projectId"] == 1
    many = projects.send("POST", "/projects/1/tasks", [{"title": "d"}, {"title": "e"}])
    assert [record["projectId"] for record in many.body] == [1, 1]
    assert projects.send("POST", "/projects/1/tasks", [{}, 3]).body["index"] == 1


def test_children_are_listed_below_their_parent(projects: Session) -> None:
    """With every parameter of a list; keys stored as text count too."""
    projects.send("POST", "/tasks", {"title": "z", "projectId": "1"})
    listed = projects.send("GET", "/projects/1/tasks?sort=-title")
    assert [record["title"] for record in listed.body["items"]] == ["z", "a"]
    assert listed.body["page"]["total"] == 2
    found = projects.send("GET", "/projects/1/tasks/search?title=a&projectId=1").body
    assert [record["id"] for record in found] == [1]
    assert projects.send("POST", "/projects/1/tasks/search", {"title": "b"}).body == []


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", {"a": 1}), ("POST", [{}])])
def test_unknown_parents_are_404(projects: Session, method: str, body: object) -> None:
    """And nothing is stored."""
    assert projects.send(method, "/projects/9/tasks", body).status == 404
    assert projects.send("GET", "/tasks").body["page"]["total"] == 2


def test_one_record_below_its_parent(projects: Session) -> None:
    """Only its own parent has it."""
    assert projects.send("GET", "/projects/1/tasks/1").body["title"] == "a"
    assert projects.send("GET", "/projects/two/tasks/1").status == 404
    assert projects.send("PATCH", "/projects/two/tasks/1", {"title": "x"}).status == 404
    assert projects.send("PUT", "/projects/1/tasks/1", {"title": "x"}).body == {
        "id": 1,
        "title": "x",
        "projectId": 1,
    }
    assert projects.send("DELETE", "/projects/two/tasks/1").status == 404
    assert projects.send("DELETE", "/projects/1/tasks/1").status == 204
    assert projects.send("GET", "/tasks/1").status == 404


def test_deeper_paths_check_every_step(projects: Session) -> None:
    """Each record must be a child of the one before."""
    projects.send("POST", "/projects/1/tasks/1/notes", {"text": "n"})
    assert projects.send("GET", "/notes/1").body == {"id": 1, "text": "n", "taskId": 1}
    assert projects.send("GET", "/projects/1/tasks/1/notes").body["page"]["total"] == 1
    assert projects.send("GET", "/projects/two/tasks/1/notes").status == 404


def test_embed_and_expand(projects: Session) -> None:
    """In lists and on one record; unknown names give empty lists or nothing; rows stay as they were."""
    project = projects.send("GET", "/projects/1?_embed=tasks,nothing").body
    assert project["tasks"] == [{"id": 1, "title": "a", "projectId": 1}]
    assert project["nothing"] == []
    listed = projects.send("GET", "/projects?_embed=tasks&_embed=nothing").body["items"]
    assert [len(record["tasks"]) for record in listed] == [1, 1]
    task = projects.send("GET", "/tasks/2?_expand=project&_expand=nothing").body
    assert task["project"]["name"] == "two"
    assert "nothing" not in task
    assert projects.send("GET", "/projects/1").body == {"id": 1, "name": "one"}
    assert projects.send("GET", "/projects?_embed=" + ",".join("abcdefghijk")).status == 400
    assert projects.send("GET", "/projects?_embed=tasks&fields=name").status == 400


def test_children_are_created_with_their_parent(session: Session) -> None:
    """One request, one transaction: a child that fails takes the parent with it."""
    body = {"name": "p", "tasks": [{"title": "a"}, {"title": "b"}], "tags": ["x"]}
    created = session.send("POST", "/projects?_embed=tasks", body)
    assert (created.status, created.body["id"], created.headers["Location"]) == (201, 1, "/projects/1")
    assert [task["projectId"] for task in created.body["tasks"]] == [1, 1]
    assert session.send("GET", "/projects/1").body == {"id": 1, "name": "p", "tags": ["x"]}
    wrong = session.send("POST", "/projects?_embed=tasks", {"tasks": [{"id": 1}]})
    assert wrong.status == 409
    assert session.send("GET", "/projects").body["page"]["total"] == 1
    assert session.send("POST", "/projects?_embed=tasks", {"tasks": {}}).status == 400
    for name in ("..", "a/b", "_x", "", "id"):
        assert session.send("POST", f"/projects?_embed={name}", {}).status == 400
    assert session.send("GET", "/").body["collections"] == ["projects", "tasks"]
    twice = session.send("POST", "/projects?_embed=tasks,tasks&_embed=tasks", {"tasks": [{}]})
    assert [task["id"] for task in twice.body["tasks"]] == [3]


def test_several_parents_come_with_their_children(session: Session) -> None:
    """All of them or none, whoever fails."""
    bodies = [{"n": 1, "tasks": [{"t": "a"}]}, {"n": 2}, {"n": 3, "tasks": [{"t": "b"}, {"t": "c"}]}]
    created = session.send("POST", "/projects?_embed=tasks", bodies)
    assert created.status == 201
    assert [one["id"] for one in created.body] == [1, 2, 3]
    children = [[(task["id"], task["projectId"]) for task in one["tasks"]] for one in created.body]
    assert children == [[(1, 1)], [], [(2, 3), (3, 3)]]
    assert session.send("GET", "/projects").body["items"] == [
        {"id": 1, "n": 1},
        {"id": 2, "n": 2},
        {"id": 3, "n": 3},
    ]
    for bad, status in (
        ([{"n": 4}, {"id": 1}], 409),
        ([{"n": 4}, {"tasks": [{"id": 1}]}], 409),
        ([{"n": 4}, {"tasks": [3]}], 422),
        ([{"n": 4}, {"tasks": 3}], 400),
        ([{"n": 4}, 3], 400),
    ):
        assert session.send("POST", "/projects?_embed=tasks", bad).status == status, bad
    duplicate = session.send("POST", "/projects?_embed=tasks", [{"n": 4}, {"id": 1}])
    assert duplicate.body["index"] == 1
    assert session.send("GET", "/projects").body["page"]["total"] == 3
    assert session.send("GET", "/tasks").body["page"]["total"] == 3


def test_delete_cascades_when_asked(projects: Session) -> None:
    """Otherwise the children stay."""
    assert projects.send("DELETE", "/projects/1?cascade=maybe").status == 400
    assert projects.send("DELETE", "/projects/1?cascade=false").status == 204
    assert projects.send("GET", "/tasks").body["page"]["total"] == 2
    assert projects.send("DELETE", "/projects/two?cascade=true").status == 204
    assert [task["id"] for task in projects.send("GET", "/tasks").body["items"]] == [1]


def test_the_other_spelling_of_a_foreign_key(session: Session) -> None:
    """A collection that says project_id goes on saying so; one that says neither gets projectId."""
    session.send("POST", "/projects", [{"name": "one"}, {"name": "two"}])
    session.send("POST", "/tasks", [{"project_id": 1, "t": "a"}, {"project_id": 2, "t": "b"}])
    listed = session.send("GET", "/projects/1/tasks").body
    assert listed == {
        "items": [{"id": 1, "project_id": 1, "t": "a"}],
        "page": {"limit": None, "offset": 0, "total": 1},
    }
    created = session.send("POST", "/projects/1/tasks", {"t": "c"})
    assert created.body == {"id": 3, "t": "c", "project_id": 1}
    assert session.send("POST", "/projects/1/notes", {"t": "n"}).body == {"id": 1, "t": "n", "projectId": 1}
    assert session.send("GET", "/projects/1/tasks/3").body == created.body
    assert session.send("GET", "/projects/2/tasks/3").status == 404
    assert session.send("PUT", "/projects/1/tasks/3", {"t": "d"}).body["project_id"] == 1
    together = session.send("POST", "/projects?_embed=tasks,notes", {"tasks": [{}], "notes": [{}]}).body
    assert (together["tasks"][0]["project_id"], together["notes"][0]["projectId"]) == (3, 3)
    embedded = session.send("GET", "/projects?_embed=tasks").body["items"]
    assert [[task["id"] for task in one["tasks"]] for one in embedded] == [[1, 3], [2], [4]]
    assert session.send("GET", "/tasks/2?_expand=project").body["project"] == {"id": 2, "name": "two"}
    assert session.send("DELETE", "/projects/1?cascade=true").status == 204
    assert [task["id"] for task in session.send("GET", "/tasks").body["items"]] == [2, 4]


def test_a_missing_key_is_no_parents(session: Session) -> None:
    """Whatever text the parent's id is."""
    session.send("POST", "/projects", [{"id": "None"}, {"id": "null"}])
    session.send("POST", "/tasks", [{"projectId": None}, {}])
    for ident in ("None", "null"):
        assert session.send("GET", f"/projects/{ident}/tasks").body["items"] == []
        for task in (1, 2):
            assert session.send("GET", f"/projects/{ident}/tasks/{task}").status == 404


def test_many_are_deleted_with_their_children(projects: Session) -> None:
    """When asked; a child that is itself one of the many counts once."""
    projects.send("POST", "/tasks/1/notes", {"text": "n"})
    assert projects.send("DELETE", "/projects?all=true&cascade=maybe").status == 400
    assert projects.send("DELETE", "/projects?name=one&all=true&cascade=false").body == {"deleted": 1}
    assert projects.send("GET", "/tasks").body["page"]["total"] == 2
    projects.send("POST", "/projects", {"id": 1})
    few = {"Prefer": "max-affected=1"}
    assert projects.send("DELETE", "/projects?cascade=true", None, few).status == 400
    assert projects.send("DELETE", "/projects?all=true&cascade=true").body == {"deleted": 2}
    for name in ("projects", "tasks", "notes"):
        assert projects.send("GET", f"/{name}").body["page"]["total"] == 0, name


def test_children_of_any_name_that_a_path_can_have(session: Session) -> None:
    """With _ . ~ and - after the first character."""
    created = session.send("POST", "/orders?_embed=line-items", {"line-items": [{"n": 1}]})
    assert created.body == {"id": 1, "line-items": [{"n": 1, "orderId": 1, "id": 1}]}
    assert session.send("GET", "/orders/1/line-items").body["page"]["total"] == 1
