"""Any request at all: an answer or a clear refusal, never a program that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import LarsError
from service.rest.builtin.objects import OBJECTS
from service.rest.plan import NotExpressible
from service.rest.shape import shape_of
from tests.service.rest.sessions import PLANNER, VERSIONS, Session, context_of

HOSTILE = [
    "", "1", "-1", "x", "true", "null", "é", "²", "9" * 30, "1e999", "a,b", ",", "-", "--x", "..", "*", "%",
    "'; DROP TABLE r1; --", '"', "\\", "$.x", "[0]", "(a+)+$", "\0", "\u2028", '"r1"', "id", "name", "tasks",
    "__class__", "{0}", "{{}}", "a" * 300, "." * 40, "id,-id", '{"a": 1}', "\U0001f600", "_x", "a/b",
]  # fmt: skip
TEXT = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.sampled_from(
    "id name n projectId tags address.city name__contains n__gt n__in n__isnull id__ne n_gte name_like limit "
    "offset sort q fields _embed _expand all cascade _page _limit _start _end _sort _order name__nope __ne "
    "a\\.b nme nme__ne".split()
) | TEXT.filter(lambda text: text.isprintable())
QUERY = st.lists(st.tuples(NAMES, TEXT), max_size=5)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(TEXT, SCALARS, max_size=3)
RECORD = st.dictionaries(
    st.sampled_from(["id", "name", "n", "tasks", "projectId", "tags"]) | TEXT, VALUES, max_size=4
)
OPERATION = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "test", "move", "copy", "x"]),
        "path": st.sampled_from(["/n", "/id", "", "n"]),
    },
    optional={"value": VALUES, "from": st.sampled_from(["/n", "/id", ""])},
)
BODY = st.none() | RECORD | st.lists(RECORD | SCALARS, max_size=3) | st.lists(OPERATION, max_size=3) | SCALARS
MEDIA = st.sampled_from(
    ["application/json"] * 3
    + [
        "application/merge-patch+json",
        "application/json-patch+json",
        "application/x-www-form-urlencoded",
        "text/x",
    ]
)
TAGS = st.sampled_from(["*", '"r1"', '"r2"', 'W/"r1", "r9"', "r1", "", '"', '"c1.1"', '"none"', ", ,"])
HEADERS = st.fixed_dictionaries(
    {"Content-Type": MEDIA},
    optional={
        "If-Match": TAGS,
        "If-None-Match": TAGS,
        "Prefer": st.sampled_from(
            [
                "return=minimal",
                "return=representation",
                "handling=strict",
                "tx=rollback",
                "max-affected=2",
                "x",
                '"',
            ]
        ),
        "X-HTTP-Method-Override": st.sampled_from(["PATCH", "DELETE", "GET", "x"]),
    },
)
COLLECTION = st.sampled_from(["projects", "tasks", "people", "db", "a.b", "profile"])
METHOD = st.sampled_from(["GET", "GET", "HEAD", "OPTIONS", "POST", "POST", "PUT", "PATCH", "DELETE"])


@st.composite
def targets(draw: st.DrawFn) -> str:
    path = "/" + draw(COLLECTION)
    for _ in range(draw(st.integers(0, 2))):
        path += f"/{draw(st.sampled_from(['1', '2', 'x']))}/{draw(COLLECTION)}"
    tail = draw(st.sampled_from(["", "", "/1", "/1", "/2", "/search", "/" + quote(draw(TEXT), safe="")]))
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in draw(QUERY))
    return path + tail + "?" + query


@pytest.fixture(scope="module", params=["default", "json-server"])
def any_session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    """One session that lives through all examples, so that they meet what earlier ones left behind."""
    directory: Path = tmp_path_factory.mktemp("any")
    made = Session(directory, request.param)
    made.send("POST", "/projects", [{"name": "a", "tags": ["x"]}, {"name": "b", "address": {"city": "Oslo"}}])
    made.send("POST", "/projects/1/tasks", [{"n": 1}, {"n": 2}])
    made.database.begin(write=True)
    made.database.session_store.collection(OBJECTS).insert({"id": "profile", "value": {"n": 1}})
    made.database.commit()
    yield made
    made.close()


@settings(max_examples=400, deadline=None)
@given(method=METHOD, target=targets(), body=BODY, headers=HEADERS)
def test_any_request(
    any_session: Session, method: str, target: str, body: object, headers: dict[str, str]
) -> None:
    """A status from 200 to 422; an error has a text; reads answer the same again."""
    sent = body if method in ("POST", "PUT", "PATCH") else None
    try:
        reply = any_session.send(method, target, sent, headers)
    except NotExpressible:
        return
    assert 200 <= reply.status <= 422, reply
    if reply.status >= 400 and reply.body != {} and method != "HEAD":
        assert isinstance(reply.body["error"], str)
    for name, value in reply.headers.items():
        assert name not in ("Location", "Link", "Warning") or value.isascii()
        assert "\n" not in value
    if method == "GET":
        assert any_session.send(method, target, None, headers) == reply


@settings(max_examples=200, deadline=None)
@given(method=METHOD, target=targets(), body=BODY, headers=HEADERS)
def test_no_program_holds_a_value(method: str, target: str, body: object, headers: dict[str, str]) -> None:
    """A word that stands in every place for a value is in no program."""
    planted = "pLaNtEd918273"
    path, _, query = target.partition("?")
    path = "/".join(part if at % 2 == 1 else planted for at, part in enumerate(path.split("/")))[
        len(planted) :
    ]
    query = "&".join(f"{pair.partition('=')[0]}={planted}" for pair in query.split("&") if pair)
    sent = (
        {"name": planted, "deep": [planted]}
        if body is not None and method in ("POST", "PUT", "PATCH")
        else None
    )
    given_headers = {**headers, "Content-Type": "application/json", "If-Match": planted, "Host": planted}
    try:
        context = context_of(method, f"{path}?{query}", sent, given_headers, "default")
        plan = PLANNER.plan(shape_of(context, VERSIONS, PLANNER.body_depth))
    except (NotExpressible, LarsError):
        return
    assert planted.lower() not in str(plan.as_json()).lower()
