"""The json-server dialect: its lists, slices, pages, links, relations and answers, and where we differ."""

from __future__ import annotations

import re

import pytest

from service.rest.builtin import BuiltinPlanner
from service.rest.shape import ID, Shape
from tests.service.rest.sessions import Session

POSTS = [
    {"id": at, "title": f"t{at:02}", "views": at * 10, "author": {"name": "typicode"}} for at in range(1, 26)
]
COMMENTS = [
    {"id": 1, "body": "Some comment", "postId": 1, "ok": True},
    {"id": 2, "body": "other", "postId": 1, "ok": False},
    {"id": 3, "body": "last", "postId": 2, "phone": "0555", "none": None},
]


@pytest.fixture
def blog(json_server: Session) -> Session:
    """25 posts, three comments on two of them."""
    assert json_server.send("POST", "/posts", POSTS).status == 201
    assert json_server.send("POST", "/comments", COMMENTS).status == 201
    return json_server


def ids(session: Session, target: str) -> list[int]:
    reply = session.send("GET", target)
    assert reply.status == 200, reply
    return [record["id"] for record in reply.body]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [1, 2, 3]),
        ("postId=1&ok=true", [1]),
        ("ok=false", [2]),
        ("phone=555", []),
        ("phone=0555", [3]),
        ("id=1&id=3", [1, 3]),
        ("nothing=1", [1, 2, 3]),
        ("nothing=1&postId=2", [3]),
        ("nothing.a=1", [1, 2, 3]),
        ("callback=f&_=1", [1, 2, 3]),
        ("id_gte=2&id_lte=2", [2]),
        ("id_gt=2", [3]),
        ("id_lt=2", [1]),
        ("id_ne=1", [2, 3]),
        ("id_ne=1&id_ne=2", [3]),
        ("body_like=COMMENT", [1]),
        ("body_like=some&body_like=OTHER", [1, 2]),
        ("body_like=(", []),
        ("q=comment", [1]),
        ("q=nothing", []),
        ("q=other&q=last", [2]),
        ("q=o&postId=2", []),
        ("_sort=id&_order=DESC", [3, 2, 1]),
        ("_sort=postId,id&_order=desc,desc", [3, 2, 1]),
        ("_sort=postId,id&_order=desc", [3, 1, 2]),
        ("_sort=nothing", [1, 2, 3]),
        ("_end=2", [1, 2]),
        ("_start=1&_end=2", [2]),
        ("_start=1&_limit=1", [2]),
        ("_start=1", [2, 3]),
        ("_start=2&_end=1", []),
        ("_limit=0", []),
        ("_page=0&_limit=1", [1]),
        ("_page=x&_limit=1", [1]),
        ("limit=1", [1, 2, 3]),
    ],
)
def test_lists(blog: Session, query: str, expected: list[int]) -> None:
    """Bare arrays in order of insertion."""
    assert ids(blog, f"/comments?{query}") == expected


def test_totals_and_pages(blog: Session) -> None:
    """The total is that of the filtered list, and only slices have one."""
    plain = blog.send("GET", "/posts")
    assert (len(plain.body), "X-Total-Count" in plain.headers, "Link" in plain.headers) == (25, False, False)
    sliced = blog.send("GET", "/posts?_start=20&_limit=9&views_gte=200")
    assert [post["id"] for post in sliced.body] == []
    assert sliced.headers["X-Total-Count"] == "6"
    assert sliced.headers["Access-Control-Expose-Headers"] == "X-Total-Count"
    page = blog.send("GET", "/posts?_page=2")
    assert [post["id"] for post in page.body] == list(range(11, 21))
    assert page.headers["Access-Control-Expose-Headers"] == "X-Total-Count, Link"
    beyond = blog.send("GET", "/posts?_page=9")
    assert (beyond.body, beyond.headers["X-Total-Count"], "Link" in beyond.headers) == ([], "25", False)
    assert "Link" not in blog.send("GET", "/posts?_page=1&_limit=99").headers


@pytest.mark.parametrize(
    ("page", "rels"),
    [
        (1, {"first": 1, "next": 2, "last": 5}),
        (2, {"first": 1, "prev": 1, "next": 3, "last": 5}),
        (5, {"first": 1, "prev": 4, "last": 5}),
    ],
)
def test_links_are_absolute_and_keep_the_query(blog: Session, page: int, rels: dict[str, int]) -> None:
    """RFC 8288; what was repeated stays repeated, what needs escapes has them."""
    query = f"_page={page}&_limit=5&author.name=typicode&title_ne=%26a%3E%22%20%C3%BC&title_ne=b"
    value = blog.send("GET", f"/posts?{query}").headers["Link"]
    links = {rel: url for url, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', value)}
    begin = "http://example.org/posts?"
    assert links == {rel: begin + query.replace(f"_page={page}", f"_page={at}") for rel, at in rels.items()}


@pytest.mark.parametrize("query", ["_limit=-1", "_limit=x", "_start=x", "_end=1.5", "_end=1&_end=2"])
def test_wrong_numbers_are_400(blog: Session, query: str) -> None:
    """Unlike json-server, which slices somewhere."""
    assert blog.send("GET", f"/posts?{query}").status == 400


def test_what_is_ignored_is_reported(blog: Session) -> None:
    """A filter on an unknown field, JSONP, an unknown operator."""
    assert "no record has" in blog.send("GET", "/posts?nothing=1").headers["Warning"]
    both = blog.send("GET", "/posts?nothing=1&callback=f").headers["Warning"]
    assert "callback" in both
    assert "no record has" in both
    assert "Warning" not in blog.send("GET", "/posts?title=nothing&_=1").headers
    strict = blog.send("GET", "/posts?callback=f", None, {"Prefer": "handling=strict"})
    assert strict.status == 400
    unknown = blog.send("GET", "/posts?nothing=1", None, {"Prefer": "handling=strict"})
    assert unknown.status == 400
    known = blog.send("GET", "/posts?title=nothing", None, {"Prefer": "handling=strict"})
    assert (known.status, known.body) == (200, [])


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/posts/99", None),
        ("GET", "/unknown", None),
        ("GET", "/unknown/1", None),
        ("GET", "/posts/99/comments", None),
        ("GET", "/posts/1/unknown", None),
        ("GET", "/posts/search", None),
        ("PUT", "/posts/99", {}),
        ("PATCH", "/posts/99", {}),
        ("DELETE", "/posts/99", None),
        ("PUT", "/posts", {}),
        ("PATCH", "/posts", {}),
        ("DELETE", "/posts", None),
        ("POST", "/posts/1", {}),
    ],
)
def test_missing_is_an_empty_object(blog: Session, method: str, target: str, body: object) -> None:
    """With 404; also methods that json-server has no route for."""
    reply = blog.send(method, target, body)
    assert (reply.status, reply.body) == (404, {})


def test_one_record(blog: Session) -> None:
    """Get, create, replace, patch, delete."""
    assert blog.send("GET", "/comments/3/").body == COMMENTS[2]
    created = blog.send("POST", "/comments", {"body": "x"})
    assert (created.status, created.body, created.headers["Location"]) == (
        201,
        {"id": 4, "body": "x"},
        "/comments/4",
    )
    assert created.headers["Access-Control-Expose-Headers"] == "Location"
    assert blog.send("PUT", "/comments/4", {"id": 9, "a": 1}).body == {"id": 4, "a": 1}
    assert blog.send("PATCH", "/comments/4", {"a": None}).body == {"id": 4, "a": None}
    assert blog.send("POST", "/comments", {"id": 1}).status == 409
    deleted = blog.send("DELETE", "/posts/1")
    assert (deleted.status, deleted.body) == (200, {})
    assert len(blog.send("GET", "/comments").body) == 4
    assert blog.send("DELETE", "/posts/2?cascade=true").status == 200
    assert ids(blog, "/comments") == [1, 2, 4]
    assert set(blog.send("GET", "/db").body) == {"posts", "comments"}
    assert blog.send("HEAD", "/posts").body is None


def test_forms_are_objects_of_texts(blog: Session) -> None:
    """For POST, PUT and PATCH."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert blog.send("POST", "/forms", b"a=1&b=x+y%26", form).body == {"id": 1, "a": "1", "b": "x y&"}
    assert blog.send("PATCH", "/forms/1", b"a=2", form).body["a"] == "2"
    assert blog.send("PUT", "/forms/1", b"c=2", form).body == {"id": 1, "c": "2"}
    assert blog.send("POST", "/forms", b"x", {"Content-Type": "text/plain"}).status == 415


def test_the_dialect_is_a_preference(session: Session) -> None:
    """Over the session's own, forms included; confirmed in the answer."""
    form = {"Content-Type": "application/x-www-form-urlencoded", "Prefer": "dialect=json-server"}
    created = session.send("POST", "/posts", b"a=1", form)
    assert (created.status, created.headers["Preference-Applied"]) == (201, "dialect=json-server")
    assert session.send("GET", "/posts", None, {"Prefer": "dialect=json-server"}).body == [
        {"id": 1, "a": "1"}
    ]
    assert session.send("GET", "/posts").body["page"]["total"] == 1


def test_a_session_of_the_dialect_may_be_asked_otherwise(blog: Session) -> None:
    """Then forms are no JSON."""
    default = {"Prefer": "dialect=default"}
    assert blog.send("GET", "/comments", None, default).body["page"]["total"] == 3
    form = {"Content-Type": "application/x-www-form-urlencoded", **default}
    assert blog.send("POST", "/posts", b"a=1", form).status == 415


def test_relations(blog: Session) -> None:
    """Nested lists and creation, children and parents inside, any number of each."""
    assert ids(blog, "/posts/1/comments?_sort=id&_order=desc") == [2, 1]
    created = blog.send("POST", "/posts/1/comments", {"body": "n"})
    assert created.body == {"id": 4, "body": "n", "postId": 1}
    posts = blog.send("GET", "/posts?_embed=comments&_embed=unknown&_limit=2").body
    assert [len(post["comments"]) for post in posts] == [3, 1]
    assert posts[0]["unknown"] == []
    assert blog.send("GET", "/comments/1?_expand=post&_expand=unknown").body == {
        **COMMENTS[0],
        "post": POSTS[0],
    }
    assert blog.send("GET", "/posts/1").body == POSTS[0]


def test_a_delay_is_handed_on() -> None:
    """The plan says where the milliseconds stand; whoever answers waits."""
    shape = Shape("DELETE", ("posts", ID), (("_delay", False),), dialect="json-server")
    assert BuiltinPlanner().plan(shape).response_hints == {"transaction": "write", "delay": "query._delay"}


def test_a_post_may_stand_for_another_method(blog: Session) -> None:
    """X-HTTP-Method-Override, in this dialect only."""
    override = {"X-HTTP-Method-Override": "PATCH"}
    assert blog.send("POST", "/comments/1", {"body": "y"}, override).body == {**COMMENTS[0], "body": "y"}
