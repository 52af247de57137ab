"""Fields that no record has: reported to readers, refused to the strict and to whoever changes many."""

from __future__ import annotations

import pytest

from tests.service.rest.sessions import Session

STRICT = {"Prefer": "handling=strict"}


@pytest.fixture
def people(session: Session) -> Session:
    """Two records, one of them with a nested member."""
    session.send("POST", "/people", [{"name": "a", "address": {"city": "Oslo"}}, {"name": "b"}])
    return session


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("nme=a", "no record has nme"),
        ("nme__ne=a", "no record has nme"),
        ("nme=a&nme__gt=b", "no record has nme"),
        ("address.town=Oslo", "no record has address.town"),
        ("sort=-nme,name", "no record has what sort names"),
        ("sort=name&sort=nme", "no record has what sort names"),
        ("fields=name,nme", "no record has what fields names"),
        ("name__nope=1&nme=2", "name__nope is not known here and was ignored; no record has nme"),
        ("n%C3%BC%22=1", "no record has n??"),
    ],
)
def test_reads_report_them(people: Session, query: str, said: str) -> None:
    """In lists and searches; strictly it is an error."""
    for path in ("/people", "/people/search"):
        reply = people.send("GET", f"{path}?{query}")
        assert (reply.status, reply.headers["Warning"]) == (200, f'299 - "{said}"')
        assert people.send("GET", f"{path}?{query}", None, STRICT).status == 400


@pytest.mark.parametrize(
    "query",
    ["name=z", "address.city=x", "sort=address.city", "fields=id,name", "id=9", "sort=a\\,b", "sort="],
)
def test_nothing_is_said_of_what_is_there(people: Session, query: str) -> None:
    """Whether it finds anything or not."""
    lenient = people.send("GET", f"/people?{query}")
    assert (lenient.status, "Warning" in lenient.headers) == (200, False)
    assert people.send("GET", f"/people?{query}", None, STRICT).status == 200


@pytest.mark.parametrize(
    ("body", "strange"),
    [({"name": "a"}, 0), ({"name__ne": "a", "address.city": "Oslo"}, 0), ({"nme": 1}, 1), ({"a__b": 1}, 1)],
)
def test_searches_by_body_too(people: Session, body: dict[str, object], strange: int) -> None:
    """Without saying the name, which is any text; the last is no operator and no field, so it is refused."""
    status = 400 if "a__b" in body else 200
    reply = people.send("POST", "/people/search", body)
    assert reply.status == status
    expected = '299 - "no record has what the body names"' if strange and status == 200 else None
    assert reply.headers.get("Warning") == expected
    assert people.send("POST", "/people/search", body, STRICT).status == (400 if strange else 200)


def test_the_strict_are_told_which(people: Session) -> None:
    """Field by field, with a remedy."""
    reply = people.send("GET", "/people?nme=1&naem=2", None, STRICT)
    assert sorted(error["field"] for error in reply.body["errors"]) == ["naem", "nme"]
    assert all(error["remedy"] for error in reply.body["errors"])


def test_one_record_too(people: Session) -> None:
    """Whose fields are asked for."""
    reply = people.send("GET", "/people/1?fields=nme")
    assert (reply.status, reply.body) == (200, {})
    assert reply.headers["Warning"] == '299 - "no record has what fields names"'
    assert people.send("GET", "/people/1?fields=nme", None, STRICT).status == 400


def test_an_empty_collection_knows_of_no_field(session: Session) -> None:
    """So whatever is asked of it is as right as anything."""
    reply = session.send("GET", "/people?status=done&sort=x", None, STRICT)
    assert (reply.status, reply.body["items"]) == (200, [])


@pytest.mark.parametrize(
    "query", ["all=true&nme__ne=a", "all=true&nme=a", "all=true&name=a&nme__isnull=true"]
)
def test_changes_of_many_refuse_them(people: Session, query: str) -> None:
    """Whatever is preferred: a slip would change every record, or none."""
    for headers in ({}, {"Prefer": "handling=lenient"}):
        assert people.send("DELETE", f"/people?{query}", None, headers).status == 400
        assert people.send("PATCH", f"/people?{query}", {"x": 1}, headers).status == 400
    assert people.send("GET", "/people").body["page"]["total"] == 2
