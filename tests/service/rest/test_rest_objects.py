"""json-server's single objects, ids of text collections, and the headers of each of its answers."""

from __future__ import annotations

import pytest

from service.rest.builtin.objects import OBJECTS
from tests.service.rest.sessions import Session

PROFILE = {"name": "typicode", "links": {"home": "x"}}
MERGE = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


@pytest.fixture
def blog(json_server: Session) -> Session:
    """A list and an object, as an import leaves them."""
    json_server.send("POST", "/posts", {"title": "t"})
    json_server.database.begin(write=True)
    objects = json_server.database.session_store.collection(OBJECTS)
    objects.insert({"id": "profile", "value": PROFILE})
    json_server.database.commit()
    return json_server


def test_an_object_is_read_and_changed(blog: Session) -> None:
    """Get, replace by POST and PUT, merge by PATCH, never deleted."""
    assert blog.send("GET", "/profile").body == PROFILE
    posted = blog.send("POST", "/profile", {"name": "a"})
    assert (posted.status, posted.body) == (201, {"name": "a"})
    put = blog.send("PUT", "/profile", {"name": "b", "id": 7})
    assert (put.status, put.body) == (200, {"name": "b", "id": 7})
    patched = blog.send("PATCH", "/profile", {"extra": None})
    assert (patched.status, patched.body) == (200, {"name": "b", "id": 7, "extra": None})
    assert blog.send("GET", "/profile").body == patched.body
    deleted = blog.send("DELETE", "/profile")
    assert (deleted.status, deleted.body) == (404, {})
    assert blog.send("GET", "/profile").status == 200


def test_the_other_patches(blog: Session) -> None:
    """RFC 7396 and RFC 6902, from the object's own root."""
    merged = blog.send("PATCH", "/profile", {"links": {"home": None, "blog": "y"}}, MERGE)
    assert merged.body == {"name": "typicode", "links": {"blog": "y"}}
    operations = [
        {"op": "test", "path": "/name", "value": "typicode"},
        {"op": "move", "from": "/links/blog", "path": "/blog"},
    ]
    patched = blog.send("PATCH", "/profile", operations, JSON_PATCH)
    assert patched.body == {"name": "typicode", "links": {}, "blog": "y"}
    for bad in ([{"op": "replace", "path": "", "value": 3}], [{"op": "remove", "path": ""}], [3]):
        assert blog.send("PATCH", "/profile", bad, JSON_PATCH).status == 422
    assert blog.send("GET", "/profile").body == patched.body


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [("POST", [{}], 400), ("PUT", [1], 400), ("PUT", None, 400), ("PATCH", [1], 400), ("PUT", b"{", 400)],
)
def test_an_object_stays_one(blog: Session, method: str, body: object, status: int) -> None:
    """Whatever else is sent."""
    assert blog.send(method, "/profile", body).status == status
    assert blog.send("GET", "/profile").body == PROFILE


def test_conditions_hold_for_objects(blog: Session) -> None:
    """304 and 412 by the tag of GET."""
    tag = blog.send("GET", "/profile").headers["ETag"]
    assert blog.send("GET", "/profile", None, {"If-None-Match": tag}).status == 304
    assert blog.send("GET", "/profile", None, {"If-Match": '"r99"'}).status == 412
    changed = blog.send("PATCH", "/profile", {"n": 1}, {"If-Match": tag})
    assert changed.status == 200
    assert changed.headers["ETag"] == blog.send("GET", "/profile").headers["ETag"] != tag
    for method in ("POST", "PUT", "PATCH"):
        assert blog.send(method, "/profile", {}, {"If-Match": tag}).status == 412
        assert blog.send(method, "/profile", {}, {"If-None-Match": "*"}).status == 412


def test_preferences_hold_for_objects(blog: Session) -> None:
    """Minimal answers and dry runs."""
    dry = blog.send("PUT", "/profile", {"n": 1}, {"Prefer": "tx=rollback"})
    assert (dry.status, dry.body) == (200, {"n": 1})
    assert blog.send("GET", "/profile").body == PROFILE
    minimal = {"Prefer": "return=minimal"}
    assert blog.send("POST", "/profile", {"n": 1}, minimal).body is None
    assert blog.send("PUT", "/profile", {"n": 2}, minimal).status == 204
    assert blog.send("GET", "/profile").body == {"n": 2}


def test_lists_and_objects_are_told_apart(blog: Session) -> None:
    """The database shows both, the list of collections only lists, and a list hides an object."""
    assert blog.send("GET", "/db").body == {"profile": PROFILE, "posts": [{"id": 1, "title": "t"}]}
    assert blog.send("GET", "/").body == {"collections": ["posts"]}
    assert blog.send("GET", "/profile/1").status == 404
    assert blog.send("PUT", "/posts", {"a": 1}).status == 404
    assert blog.send("PUT", "/nothing", {"a": 1}).status == 404
    for method in ("PUT", "PATCH"):
        assert blog.send(method, "/posts/1/profile", {"a": 1}).status == 404
    for method in ("POST", "PUT", "PATCH"):
        assert blog.send(method, "/db", {"a": 1}).status == 404
    assert blog.send("GET", "/profile").body == PROFILE
    default = {"Prefer": "dialect=default"}
    assert blog.send("GET", "/", None, default).body == {"collections": ["posts"]}
    assert blog.send("POST", "/profile", {"a": 1}, default).body == {"id": 1, "a": 1}
    assert blog.send("GET", "/profile").body == [{"id": 1, "a": 1}]


def test_text_ids_are_continued_with_texts(json_server: Session) -> None:
    """An integer where there is one, or nothing yet."""
    json_server.send("POST", "/refs", {"id": "abcd-1234"})
    created = json_server.send("POST", "/refs", {"url": "x"})
    assert (created.body, created.headers["Location"]) == ({"id": "1", "url": "x"}, "/refs/1")
    assert [one["id"] for one in json_server.send("POST", "/refs", [{}, {}]).body] == ["2", "3"]
    default = {"Prefer": "dialect=default"}
    assert json_server.send("POST", "/refs", {}, default).body["id"] == 4
    assert json_server.send("POST", "/refs", {}).body["id"] == 5


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/posts", None),
        ("GET", "/posts?_page=1", None),
        ("GET", "/posts/1", None),
        ("GET", "/posts/9", None),
        ("GET", "/nothing", None),
        ("GET", "/profile", None),
        ("GET", "/db", None),
        ("POST", "/posts", {}),
        ("PUT", "/posts/1", {}),
        ("PATCH", "/posts/9", {}),
        ("DELETE", "/posts/1", None),
        ("DELETE", "/posts", None),
        ("OPTIONS", "/posts", None),
        ("GET", "/posts?_limit=x", None),
    ],
)
def test_every_answer_is_fresh_and_may_be_read_by_any_page(
    blog: Session, method: str, target: str, body: object
) -> None:
    """But with nobody's credentials."""
    headers = blog.send(method, target, body, {"Origin": "http://example.org"}).headers
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize(
    ("target", "allow"),
    [
        ("/posts", "GET, HEAD, OPTIONS, PATCH, POST, PUT"),
        ("/posts/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/posts/search", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
    ],
)
def test_preflight(blog: Session, target: str, allow: str) -> None:
    """204, and what any path may take."""
    reply = blog.send("OPTIONS", target)
    assert (reply.status, reply.body, reply.headers["Allow"]) == (204, None, allow)
    assert reply.headers["Access-Control-Allow-Methods"] == "GET,HEAD,PUT,PATCH,POST,DELETE"
    assert "X-Session-ID" in reply.headers["Access-Control-Allow-Headers"]


def test_a_link_too_long_for_a_header_is_left_out(blog: Session) -> None:
    """With a word; the page is there."""
    blog.send("POST", "/posts", [{} for _ in range(20)])
    reply = blog.send("GET", f"/posts?_page=1&title_ne={'x' * 3_000}")
    assert (len(reply.body), "Link" in reply.headers) == (10, False)
    assert "too long" in reply.headers["Warning"]
    assert "Link" in blog.send("GET", "/posts?_page=1&title_ne=x").headers
