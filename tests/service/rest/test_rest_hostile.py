"""Requests that are meant to hurt: each has a clear refusal or the right answer, within the test's time.

The session holds enough for a pattern that explodes, or a scan for each of many values, to be felt.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.service.rest.sessions import Session

SQL = "x' OR 1=1; DROP TABLE r1; --"
RECORDS = [
    {"name": "a" * 60, "n": at, "tags": ["a"] * 20, "deep": {"er": {"est": at}}} for at in range(2_000)
]


@pytest.fixture(scope="module", params=["default", "json-server"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """2,000 records and a child, for all tests: none of them may change a record."""
    made = Session(tmp_path_factory.mktemp("hostile"), request.param)
    assert made.send("POST", "/items", RECORDS).status == 201
    assert made.send("POST", "/items/1/notes", {"text": "n"}).status == 201
    yield made
    listed = made.send("GET", "/items", None, {"Prefer": "dialect=default"}).body
    assert listed["page"]["total"] == len(RECORDS)
    assert [{**item, "id": None} for item in listed["items"]] == [{"id": None, **item} for item in RECORDS]
    made.close()


def names(count: int, form: str = "f{}=1") -> str:
    return "&".join(form.format(at) for at in range(count))


@pytest.mark.parametrize(
    "query",
    [
        names(10_000),
        names(10_000, "name=x"),
        names(65),
        names(1_001, "name=a{}"),
        "x" * 1_000_000 + "=1",
        "name=" + "x" * 1_000_000,
        ".".join(["a"] * 90) + "=1",
        ".".join(["a"] * 17) + "__gt=1",
        "name__in=" + ",".join(["a"] * 1_000),
        names(300, "n=1"),
        names(60, "{}" + "é" * 98 + "=1"),
        "_embed=" + ",".join(f"c{at}" for at in range(100)),
        "_embed=" + "c" * 200,
        "_expand=" + ",".join(f"c{at}" for at in range(100)),
        "name=%FF",
        "%00=1",
    ],
    ids=lambda query: f"{query[:12]}~{len(query)}",
)
def test_too_much_is_400(session: Session, query: str) -> None:
    """Too many, too long, too deep; the answer names what is wrong."""
    reply = session.send("GET", f"/items?{query}")
    assert reply.status == 400, reply
    assert 0 < len(reply.body["error"]) < 1_000


@pytest.mark.parametrize("number", ["1e30", "-1", "", "9" * 40, "0x10", "1_0", " 5", "+5", "٣", "NaN", "1.0"])
@pytest.mark.parametrize("name", ["limit", "offset"])
def test_what_is_no_number_is_400(session: Session, name: str, number: str) -> None:
    """In either dialect's own names."""
    own = {"limit": "_limit", "offset": "_start"}[name] if session.dialect == "json-server" else name
    reply = session.send("GET", f"/items?{own}={quote(number)}")
    assert reply.status == 400, reply
    assert own in reply.body["error"]


def test_large_numbers_are_numbers(session: Session) -> None:
    """A page far beyond the end is empty, a limit above all is all."""
    if session.dialect == "json-server":
        assert session.send("GET", "/items?_page=999999999&_limit=999999999").body == []
        assert session.send("GET", "/items?_start=999999999").body == []
        assert len(session.send("GET", "/items?_limit=999999999").body) == len(RECORDS)
        return
    big = 2**63 - 1
    beyond = session.send("GET", f"/items?limit={big}&offset={big}").body
    assert beyond == {"items": [], "page": {"limit": big, "offset": big, "total": len(RECORDS)}}
    assert len(session.send("GET", f"/items?limit={big}").body["items"]) == len(RECORDS)


@pytest.mark.parametrize(
    ("default", "json_server", "expected"),
    [
        ("name__like=" + "%25a" * 120 + "b", "name_like=" + "%25a" * 120 + "b", 0),
        ("name__like=" + "_%25" * 100 + "b", "name_like=(a%2B)%2Bb", 0),
        ("name__like=" + "a%25" * 60, "name_like=" + "a" * 60, len(RECORDS)),
        ("name__like=" + "%25" * 250, "name_like=", len(RECORDS)),
        ("name__icontains=" + "A" * 60, "name_like=" + "A" * 60, len(RECORDS)),
        ("name__contains=" + "a" * 4_000, "name_like=" + "a" * 4_000, 0),
        ("name__endswith=" + "a" * 60, "q=" + "a" * 60, len(RECORDS)),
        (names(200, "tags__contains=b{}"), names(200, "name_like=b{}"), 0),
        (names(250, "name=b{}"), names(250, "name=b{}"), 0),
        (names(60, "n__gte={}"), names(60, "n_gte={}"), len(RECORDS)),
        ("q=" + "a" * 61, "q=" + "a" * 61, 0),
    ],
    ids=range(11),
)
def test_patterns_end(session: Session, default: str, json_server: str, expected: int) -> None:
    """No backtracking: a pattern costs its length for each character."""
    if session.dialect == "json-server":
        reply = session.send("GET", f"/items?{json_server}&_limit=1")
        assert (reply.status, reply.headers.get("X-Total-Count")) == (200, str(expected)), reply
    else:
        reply = session.send("GET", f"/items?{default}&limit=1")
        assert (reply.status, reply.body.get("page", {}).get("total")) == (200, expected), reply


def test_a_long_pattern_is_400(session: Session) -> None:
    """Of the one operator that has wildcards."""
    if session.dialect == "default":
        assert session.send("GET", f"/items?name__like={'%25' * 300}").status == 400


@pytest.mark.parametrize(
    "word", [SQL, "'", '"', "\\", "\\'", "/* */", "$.x", "[0]", "x'00'", "?1", ":a", "@a", "--"]
)
def test_sql_means_nothing(session: Session, word: str) -> None:
    """Wherever it stands it is a name or a value: nothing is found, nothing fails, nothing changes."""
    text = quote(word, safe="")
    for query in (f"name={text}", f"{text}__eq={text}", f"name__ne={text}", f"name__in={text}", f"q={text}"):
        reply = session.send("GET", f"/items?{query}")
        assert reply.status in (200, 400), (query, reply)
    for query in (
        f"sort={text}",
        f"_sort={text}&_order={text}",
        f"fields={text}",
        f"_embed={text}",
        f"limit={text}",
    ):
        assert session.send("GET", f"/items?{query}").status in (200, 400), query
    assert session.send("GET", f"/items/{text}").status == 404
    assert session.send("DELETE", f"/items/{text}").status == 404
    assert session.send("PATCH", f"/items/{text}", {word: word}).status == 404
    assert session.send("GET", f"/items/{text}/notes").status == 404
    assert session.send("GET", f"/{text}x").status in (200, 400, 404)
    assert session.send("GET", "/items/1", None, {"If-None-Match": word, "Prefer": word}).status == 200
    assert session.send("PATCH", "/items/1", {"n": 9}, {"If-Match": word}).status in (400, 412)
    assert session.send("POST", f"/items?_embed={text}", {word: [{}]}).status == 400


def test_sql_is_kept_as_data(session: Session) -> None:
    """As a name, a value and an id it comes back as it went in."""
    record = {"id": SQL, SQL: SQL, "nested": {SQL: [SQL]}}
    created = session.send("POST", "/kept", record)
    assert (created.status, created.body) == (201, record)
    found = session.send("GET", f"/kept?{quote(SQL.replace('.', chr(92) + '.'))}={quote(SQL)}").body
    assert (found if session.dialect == "json-server" else found["items"]) == [record]
    assert session.send("GET", created.headers["Location"]).body == record
    assert session.send("DELETE", created.headers["Location"]).status in (200, 204)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 100_000, 400),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
        (b'{"a":' * 150 + b"1" + b"}" * 150, 422),
        (b'{"' + b"x" * 2_000_000 + b'":1}', 422),
        (b'{"a": ' + b"9" * 100_000 + b"}", 400),
        (b'{"a": "\\u0000"}', 422),
        (b'{"id": ' + b"9" * 30 + b"}", 422),
        (b'{"id": "' + b"x" * 300 + b'"}', 422),
    ],
    ids=range(8),
)
def test_bodies_that_cannot_be_kept(session: Session, body: bytes, status: int) -> None:
    """Too deep, too long, no number: nothing of them is stored."""
    reply = session.send("POST", "/bodies", body)
    assert reply.status == status, reply
    assert len(reply.body["error"]) < 1_000
    assert session.send("GET", "/bodies/1").status == 404


def test_a_record_of_many_fields_is_kept(session: Session) -> None:
    """10,000 of them, with names of every kind."""
    record = {f"{at}.{SQL}": at for at in range(10_000)}
    reply = session.send("POST", "/wide", record)
    assert (reply.status, len(reply.body)) == (201, 10_001)
    assert session.send("GET", reply.headers["Location"]).body == reply.body
