"""Filters, order, pages, full text, fields; and parameters that mean nothing."""

from __future__ import annotations

import pytest

from tests.service.rest.sessions import Session

PEOPLE = [
    {"name": "Alice", "age": 30, "tags": ["a", "b"], "address": {"city": "Oslo"}, "postId": 1},
    {"name": "bob", "age": 4, "active": True, "address": {"city": "Bern"}, "postId": "1"},
    {"name": "Carol", "age": 200, "active": False, "address": "none", "postId": 12},
]


@pytest.fixture
def people(session: Session) -> Session:
    """Three records of which each has something of its own."""
    assert session.send("POST", "/people", PEOPLE).status == 201
    return session


def ids(session: Session, query: str) -> list[int]:
    reply = session.send("GET", f"/people?{query}")
    assert reply.status == 200, reply
    found = [record["id"] for record in reply.body["items"]]
    assert session.send("GET", f"/people/search?{query}").body == reply.body["items"]
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=Alice", [1]),
        ("name=Alice&name=bob", [1, 2]),
        ("name=Alice&age=4", []),
        ("postId=1", [1, 2]),
        ("active=true", [2]),
        ("address.city=Oslo", [1]),
        ("age__gt=4", [1, 3]),
        ("age__gte=4&age__lt=200", [1, 2]),
        ("age__lte=30", [1, 2]),
        ("name__ne=bob", [1, 3]),
        ("id__in=1,3", [1, 3]),
        ("name__contains=o", [2, 3]),
        ("name__icontains=AL", [1]),
        ("name__startswith=C", [3]),
        ("name__endswith=l", [3]),
        ("tags__isnull=true", [2, 3]),
        ("name__eq=bob", [2]),
        ("q=oslo", [1]),
        ("q=oslo&name=bob", []),
        ("q=oslo&q=bern", [1, 2]),
        ("name__startswith=A&name__startswith=C", [1, 3]),
        ("age__gt=100&age__gt=29", [1, 3]),
        ("limit__eq=1&age=4", []),
        ("sort=-address.city&sort=name", [1, 2, 3]),
        ("sort=-age", [3, 1, 2]),
        ("sort=address.city,name", [2, 1, 3]),
        ("sort=age&limit=1&offset=1", [1]),
        ("name__contains=%6F&sort=-name", [2, 3]),
        ("", [1, 2, 3]),
    ],
)
def test_queries(people: Session, query: str, expected: list[int]) -> None:
    """Lists and searches alike."""
    assert ids(people, query) == expected


def test_fields_reduce_records(people: Session) -> None:
    """In lists and of one record, dotted paths too; the tag stays that of the whole record."""
    listed = people.send("GET", "/people?fields=name,address.city&limit=1").body["items"]
    assert listed == [{"name": "Alice", "address": {"city": "Oslo"}}]
    assert people.send("GET", "/people?fields=&limit=1").body["items"] == [{}]
    one = people.send("GET", "/people/1?fields=name,address.city")
    assert one.body == listed[0]
    assert one.headers["ETag"] == people.send("GET", "/people/1").headers["ETag"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "limit=-1",
        "limit=",
        "offset=",
        "limit=1.5",
        "offset=%C2%B2",
        "limit=1&limit=2",
        "limit=99999999999999999999",
        "age__isnull=x",
        "sort=" + "a," * 20,
        "a" * 300 + "=1",
        "x=" + "y" * 9_000,
    ],
)
def test_wrong_values_are_400(people: Session, query: str) -> None:
    """Whatever the type they are read as."""
    assert people.send("GET", f"/people?{query}").status == 400


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("/people?age__ge=3", "age__ge"),
        ("/people?_page=2", "_page"),
        ("/people?=3", ""),
        ("/people?a..b=3", "a..b"),
        ("/people/1?name=x", "name"),
        ("/people/1?limit=3", "limit"),
    ],
)
def test_unknown_parameters_are_reported(people: Session, target: str, named: str) -> None:
    """In a header, or as an error to those who want strictness."""
    lenient = people.send("GET", target)
    assert lenient.status == 200
    assert lenient.headers["Warning"] == f'299 - "{named} is not known here and was ignored"'
    asked = people.send("GET", target, headers={"Prefer": "handling=lenient"})
    assert asked.headers["Preference-Applied"] == "handling=lenient"
    strict = people.send("GET", target, headers={"Prefer": "handling=strict"})
    assert strict.status == 400
    assert [error["field"] for error in strict.body["errors"]] == [named]
    assert strict.body["errors"][0]["remedy"]


def test_another_dialects_operator_is_doubted(people: Session) -> None:
    """It may be a field's name, so it is compared; but not without a word."""
    reply = people.send("GET", "/people?age_gte=3")
    assert reply.body["items"] == []
    assert "age__gte" in reply.headers["Warning"]


def test_warnings_are_header_text(people: Session) -> None:
    """Whatever the name holds, and however many there are."""
    names = "&".join(f'x{at}"\\ü__q=1'.replace('"', "%22").replace("ü", "%C3%BC") for at in range(40))
    value = people.send("GET", f"/people/1?{names}").headers["Warning"]
    assert value.isascii()
    assert value.count('"') == 2
    assert value.endswith('and 30 more"')
    assert len(value) < 2_000


def test_a_search_by_body_takes_the_parameters_of_lists(people: Session) -> None:
    """Order, page, fields and full text; filters are the body's alone."""
    found = people.send("POST", "/people/search?sort=-age&limit=1&fields=id,age", {"age__gt": 4})
    assert found.body == [{"id": 3, "age": 200}]
    assert people.send("POST", "/people/search?q=oslo", {}).body[0]["id"] == 1
    assert "Warning" in people.send("POST", "/people/search?age__gt=4", {}).headers
    for wrong in ("limit=x", "_embed=tasks&fields=id"):
        assert people.send("POST", f"/people/search?{wrong}", {}).status == 400


def test_values_are_compared_as_the_type_they_have(session: Session) -> None:
    """JSON first, then text: a number, its text, and words alike; order only within one type."""
    values = [1, "1", 1.0, "01", True, "true", None, "null", [1], {"a": 1}]
    session.send("POST", "/things", [{"v": value} for value in values])

    def found(query: str) -> list[object]:
        items = session.send("GET", f"/things?{query}").body["items"]
        return [item.get("v") for item in items]

    assert found("v=1") == [1, "1", 1.0]
    assert found("v=1.0") == [1, 1.0]
    assert found("v=01") == ["01"]
    assert found("v=%221%22") == ["1"]
    assert found("v=true") == [True, "true"]
    assert found("v=null") == [None, "null"]
    assert found("v__in=01,true") == ["01", True, "true"]
    assert found("v__gt=0&v__lt=2") == [1, "1", 1.0, "01"]
    assert found("v__contains=1") == ["1", "01", [1]]
    assert found("v__isnull=true") == [None]
    assert found("v.a=1") == [{"a": 1}]
    assert found("v.0=1") == [[1]]
    assert found("v=1&v=01") == [1, "1", 1.0, "01"]
    assert found("v__ne=1&v__ne=true") == ["01", None, "null", [1], {"a": 1}]
