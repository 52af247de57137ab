"""What the service is described to do, request by request: create, get, list, search, change, delete."""

from __future__ import annotations

import pytest

from tests.service.rest.sessions import Session

ALICE = {"name": "Alice", "email": "alice@example.com"}


def test_a_member_from_creation_to_deletion(session: Session) -> None:
    """Status, body and Location of each step; the seed's usage examples."""
    created = session.send("POST", "/members/", ALICE)
    assert (created.status, created.body) == (201, {"id": 1, **ALICE})
    assert list(created.body) == ["id", "name", "email"]
    assert created.headers["Location"] == "/members/1"
    assert session.send("GET", "/members/1").body == {"id": 1, **ALICE}
    replaced = session.send("PUT", "/members/1", {"name": "Alice Smith"})
    assert (replaced.status, replaced.body) == (200, {"id": 1, "name": "Alice Smith"})
    patched = session.send("PATCH", "/members/1", {"email": "new@example.com"})
    assert patched.body == {"id": 1, "name": "Alice Smith", "email": "new@example.com"}
    deleted = session.send("DELETE", "/members/1")
    assert (deleted.status, deleted.body) == (204, None)
    assert session.send("GET", "/members/1").status == 404


def test_lists_have_an_envelope(session: Session) -> None:
    """Without limit and offset these are null and 0."""
    session.send("POST", "/members", [ALICE, {"name": "Bob"}])
    alice, bob = {"id": 1, **ALICE}, {"id": 2, "name": "Bob"}
    whole = session.send("GET", "/members")
    assert whole.body == {"items": [alice, bob], "page": {"limit": None, "offset": 0, "total": 2}}
    page = session.send("GET", "/members/?limit=1&offset=1&sort=name")
    assert page.body == {"items": [bob], "page": {"limit": 1, "offset": 1, "total": 2}}
    assert session.send("GET", "/members?limit=0").body["items"] == []
    empty = session.send("GET", "/nothing")
    assert (empty.status, empty.body["page"]["total"]) == (200, 0)


def test_search_answers_an_array(session: Session) -> None:
    """By query, and by an object of filters in the body."""
    session.send("POST", "/members", [ALICE, {"name": "Bob"}])
    expected = [{"id": 1, **ALICE}]
    assert session.send("GET", "/members/search?name=Alice").body == expected
    assert session.send("POST", "/members/search", {"name__contains": "lic"}).body == expected
    assert session.send("GET", "/members/search?name=nobody").body == []
    assert session.send("GET", "/members/search?sort=-name&limit=1").body == [{"id": 2, "name": "Bob"}]
    assert session.send("POST", "/members/search", {"name": {"$ne": 1}}).status == 400


@pytest.mark.parametrize(
    ("method", "body"), [("GET", None), ("DELETE", None), ("PATCH", {"price": 50}), ("PUT", {"price": 50})]
)
def test_what_is_missing_is_404_with_an_error(session: Session, method: str, body: object) -> None:
    """Also before the collection exists, and without creating it."""
    reply = session.send(method, "/products/99999", body)
    assert reply.status == 404
    assert isinstance(reply.body["error"], str)
    assert session.send("GET", "/").body == {"collections": []}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"invalid json", {}, 400),
        (b"", {}, 400),
        (b"3", {}, 400),
        (b"null", {}, 400),
        (b'"text"', {}, 400),
        (b"[1]", {}, 422),
        (b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"a", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": ""}, 415),
        (b"{}", {"Content-Type": "application/merge-patch+json"}, 415),
        (b"{}", {"Content-Encoding": "gzip"}, 415),
        (b'{"id": true}', {}, 422),
        (b'{"id": ""}', {}, 422),
    ],
)
def test_wrong_bodies_are_refused(
    session: Session, body: bytes, headers: dict[str, str], status: int
) -> None:
    """And nothing is stored."""
    reply = session.send("POST", "/products", body, headers)
    assert reply.status == status, reply
    assert isinstance(reply.body["error"], str)
    assert session.send("GET", "/products").body["items"] == []


def test_ids_are_kept_and_never_repeat(session: Session) -> None:
    """A client's id stays, becomes the maximum when it is a number, and is taken only once."""
    assert session.send("POST", "/items", {"id": 7, "a": 1}).body == {"id": 7, "a": 1}
    assert session.send("POST", "/items", {}).body["id"] == 8
    assert session.send("POST", "/items", {"id": 7}).status == 409
    session.send("DELETE", "/items/8")
    assert session.send("POST", "/items", {}).body["id"] == 9
    text = session.send("POST", "/items", {"id": "a b/ü?#%"})
    assert text.headers["Location"] == "/items/a%20b%2F%C3%BC%3F%23%25"
    assert session.send("GET", text.headers["Location"]).body["id"] == "a b/ü?#%"


def test_an_array_is_stored_whole_or_not_at_all(session: Session) -> None:
    """The failing index is named."""
    session.send("POST", "/items", {"id": 2})
    reply = session.send("POST", "/items", [{"id": 1}, {"id": 2}, {"id": 3}])
    assert (reply.status, reply.body["index"]) == (409, 1)
    assert session.send("GET", "/items").body["page"]["total"] == 1
    both = session.send("POST", "/items", [{"a": 1}, {"a": 2}])
    assert (both.status, [record["id"] for record in both.body]) == (201, [3, 4])


def test_nested_values_come_back_as_they_were(session: Session) -> None:
    """Objects and arrays of any depth are values of the record, not records."""
    body = {"specs": {"display": {"size": "1.9"}}, "variants": [{"sku": "a"}, {"sku": "b"}], "n": None}
    session.send("POST", "/products", body)
    assert session.send("GET", "/products/1").body == {"id": 1, **body}
    assert session.send("GET", "/variants").body["items"] == []


def test_integers_of_any_size_are_kept(session: Session) -> None:
    """To the last digit; a number that no text can be made of is refused."""
    body = {"wide": 123456789012345678901234567890, "small": 2**64}
    session.send("POST", "/numbers", body)
    assert session.send("GET", "/numbers/1").body == {"id": 1, **body}
    assert session.send("POST", "/numbers", b'{"n": ' + b"9" * 5000 + b"}").status == 400
    assert session.send("POST", "/numbers", b'{"n": 1e999}').status == 400
    assert session.send("POST", "/numbers", b"[9999999999999999999, 1e999]").status == 400
    assert session.send("POST", "/numbers", b'[9999999999999999999, "\\ud800"]').status == 400
    assert session.send("POST", "/numbers", b'["9999999999999999999", NaN]').status == 400
    assert session.send("POST", "/numbers", b"[" * 5000 + b"9" * 20).status == 400


def test_head_and_options(session: Session) -> None:
    """HEAD is GET without its body, OPTIONS tells what a path takes."""
    session.send("POST", "/items", {"a": 1})
    head, get = session.send("HEAD", "/items/1"), session.send("GET", "/items/1")
    assert (head.status, head.body, head.headers) == (200, None, get.headers)
    assert session.send("HEAD", "/items/2").status == 404
    options = session.send("OPTIONS", "/items/1")
    assert (options.status, options.body) == (204, None)
    assert options.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert "application/json-patch+json" in options.headers["Accept-Patch"]
    assert "PATCH" not in session.send("OPTIONS", "/items/search").headers["Allow"]


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("PUT", "/items", "DELETE, GET, HEAD, OPTIONS, PATCH, POST"),
        ("POST", "/items/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("DELETE", "/items/search", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
        ("TRACE", "/items", "DELETE, GET, HEAD, OPTIONS, PATCH, POST"),
    ],
)
def test_other_methods_are_405(session: Session, method: str, target: str, allow: str) -> None:
    """With the methods that the path has."""
    reply = session.send(method, target, {} if method in ("PUT", "POST") else None)
    assert (reply.status, reply.headers["Allow"]) == (405, allow)
