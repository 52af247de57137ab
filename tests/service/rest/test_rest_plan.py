"""Plans as JSON, and what must hold of every plan that the built-in planner can make."""

from __future__ import annotations

import ast
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import BadRequest, LarsError
from service.rest.builtin import BuiltinPlanner
from service.rest.builtin.text import Block, literal
from service.rest.context import MAX_NAME, MAX_NAMES
from service.rest.plan import MAX_BLOCK, NotExpressible, Plan
from service.rest.shape import CONDITIONAL, ID, SEARCH, Shape, shape_of
from tests.service.rest.sessions import VERSIONS, admitted, context_of

PLANNER = BuiltinPlanner()
MEMBERS = {"action", "resource", "identifier", "criteria", "payload", "response_hints", "code"}


def test_a_plan_has_the_seven_members() -> None:
    """And comes back from them."""
    plan = PLANNER.plan(Shape("GET", ("members", ID), (("fields", False),)))
    value = plan.as_json()
    assert set(value) == MEMBERS
    assert value["code"] == {"language": "python", "block": plan.block}
    assert (plan.action, plan.resource, plan.identifier) == ("get", "members", "segments[1]")
    again = Plan.from_json(value)
    assert again == plan
    assert again.digest() == plan.digest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": None}, "code: expected an object"),
        ({"code": {"language": "perl", "block": ""}}, "code.language: expected python"),
        ({"code": {"language": "python", "block": 3}}, "code.block: expected a string"),
        ({"action": None}, "action: expected a string"),
        ({"identifier": 3}, "identifier: expected a string"),
        ({"criteria": {"a": 3}}, "criteria.a: expected a string"),
        ({"other": 3}, "plan: unknown member 'other'"),
    ],
)
def test_what_is_no_plan(change: dict[str, object], message: str) -> None:
    """A planner's word is checked member by member."""
    value = {**PLANNER.plan(Shape("GET", ("a",))).as_json(), **change}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Plan.from_json(value)


NAME = st.text(min_size=0, max_size=MAX_NAME).filter(lambda text: text.isprintable())
KNOWN = st.sampled_from(
    "limit offset sort q fields _embed _expand all cascade name name__gte a.b__in _page _limit _start _end "
    "_sort _order views_gte x_like __ne a__b__contains".split()
)
COLLECTION = st.one_of(
    st.sampled_from(["tasks", "db", "série"]), st.from_regex(r"[A-Za-z0-9][\w.~-]{0,20}", fullmatch=True)
)


@st.composite
def paths(draw: st.DrawFn) -> tuple[str, ...]:
    found: list[str] = []
    for _ in range(draw(st.integers(0, 31))):
        found += [draw(COLLECTION), ID]
    tail = draw(st.sampled_from([0, 1, 2]))
    return tuple(found if tail == 0 else [*found, draw(COLLECTION), *([SEARCH] if tail == 2 else [])])


SHAPES = st.builds(
    Shape,
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "'"]),
    path=paths(),
    query=st.dictionaries(KNOWN | NAME, st.booleans(), max_size=8).map(
        lambda found: tuple(sorted(found.items()))
    ),
    body=st.sampled_from(["none", "object", "array", "string", "null", "integer"]),
    media_type=st.sampled_from(
        [
            "",
            "application/json",
            "application/merge-patch+json",
            "application/json-patch+json",
            "application/x+json",
        ]
    ),
    conditions=st.sets(st.sampled_from(CONDITIONAL)).map(lambda found: tuple(sorted(found))),
    prefer=st.sets(
        st.sampled_from(
            ["return=minimal", "return=representation", "handling=strict", "tx=rollback", "max-affected"]
        )
    ).map(lambda found: tuple(sorted(found))),
    dialect=st.sampled_from(["default", "json-server"]),
)


@settings(max_examples=400, deadline=None)
@given(SHAPES)
def test_every_shape_has_an_admissible_plan_or_none(shape: Shape) -> None:
    """Admitted by the policy, ASCII, bounded, and the same each time; or refused in a known way."""
    try:
        plan = PLANNER.plan(shape)
    except (NotExpressible, LarsError):
        return
    admitted(plan.block)
    assert plan.block.isascii()
    assert len(plan.block) < 64 * 1024
    assert set(plan.as_json()) == MEMBERS
    assert plan.response_hints["transaction"] in ("read", "write", "rollback")
    assert PLANNER.plan(shape) == plan
    if "tx=rollback" in shape.prefer:
        assert plan.response_hints["transaction"] != "write"
    if shape.method in ("GET", "HEAD", "OPTIONS"):
        assert plan.response_hints["transaction"] == "read"


@settings(max_examples=400, deadline=None)
@given(SHAPES)
def test_names_of_a_shape_stay_literals(shape: Shape) -> None:
    """A name is a constant of the program and nothing else: all identifiers are the templates' own."""
    try:
        plan = PLANNER.plan(shape)
    except (NotExpressible, LarsError):
        return
    identifiers = {node.id for node in ast.walk(ast.parse(plan.block)) if isinstance(node, ast.Name)}
    assert identifiers <= IDENTIFIERS, identifiers - IDENTIFIERS


IDENTIFIERS = set(
    "REPLY make_response ctx store session_store record child parent items total etag wanted seen tag "
    "current names name body value children rows row ident former deleted count most found filters text "
    "number page limit size offset start end orders order keys sort at key dropped fields headers rels last "
    "rel query pairs values str int len all isinstance list dict max enumerate "
    "each key known strange names notes warning path held mark link field suffix bodies".split()
)


@pytest.mark.parametrize(
    ("dialect", "method", "name"),
    [
        ("default", "GET", "𐐀" * 45 + "{}_gte"),
        ("default", "DELETE", "é" * 90 + "{}"),
        ("json-server", "GET", "𐐀" * 45 + "{}_gte"),
    ],
    ids=["default-get", "default-delete", "json-server-get"],
)
def test_the_longest_request_is_refused(dialect: str, method: str, name: str) -> None:
    """As many and as long names as a context may hold, in characters whose literals are longest: refused when
    no worker would judge a program of that size."""
    query = "&".join(name.format(at) + "=1" for at in range(MAX_NAMES - 1))
    path = f"/{'é' * 100}/1" * 16 + "/" + "𐐀" * 100
    context = context_of(method, f"{path}?{query}&all=true", None, {}, dialect)
    with pytest.raises(BadRequest, match=f"the limit is {MAX_BLOCK}"):
        PLANNER.plan(shape_of(context, VERSIONS, 0))


@given(st.text())
def test_literals_are_what_they_stand_for(text: str) -> None:
    """Whatever the characters."""
    assert ast.literal_eval(literal(text)) == text
    assert ast.literal_eval(literal({text: [text, 1, None, True]})) == {text: [text, 1, None, True]}
    assert set(literal(text)) <= set(string.printable) - set("\n\r\x0b\x0c")


def test_only_constants_are_literals() -> None:
    """Anything else would have a repr of its own."""
    for value in (1.5, b"", object(), {1, 2}):
        with pytest.raises(TypeError):
            literal(value)


def test_what_follows_a_guard_is_its_else() -> None:
    """Each guard goes one level deeper."""
    block = Block()
    block.add("a = 1")
    block.guard("a == 1", "b = 2")
    block.add("b = 3")
    assert block.text() == "a = 1\nif a == 1:\n    b = 2\nelse:\n    b = 3\n"
