"""Values of a request inside the plan that was written for it."""

from __future__ import annotations

import ast
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox_runtime.policy import Allowed, Rejected, foreign_literals, judge
from tests.sandbox_runtime.policy.policy_cases import CAP, PLAN, unmark

VALUES = {
    "segments": ["members", "7", "tasks", "bob@example.com"],
    "query": {"name": "Alice", "tag": ["red", "dark blue"], "limit": "25", "price__gte": "9.90"},
    "body": {
        "email": "x@y.org",
        "age": 42,
        "score": 0.5,
        "ok": True,
        "none": None,
        "deep": [{"a": ["needle"]}],
    },
}
VOCABULARY = frozenset("members tasks name tag price email age score ok none deep gte 25 rate/42".split())


@pytest.mark.parametrize(
    ("marked", "shown"),
    [
        pytest.param("x = store.get($7)", "7", id="id as a number"),
        pytest.param("x = store.get($'7')", "'7'", id="id as text, though short"),
        pytest.param("x = store.get($7.0)", "7.0", id="id as a float"),
        pytest.param("x = -$7", "7", id="negative"),
        pytest.param("x = store.search({'name': $'Alice'})", "'Alice'", id="query value"),
        pytest.param("x = {$'Alice': 1}", "'Alice'", id="as a key"),
        pytest.param("x = $'dark blue'", "'dark blue'", id="one of several values"),
        pytest.param("x = $'dark ' 'blue'", "'dark blue'", id="in two parts"),
        pytest.param("x = ctx['body_json'][$'needle']", "'needle'", id="deep in the body"),
        pytest.param("x = $42", "42", id="number in the body"),
        pytest.param("x = $0x2a", "42", id="another way to write it"),
        pytest.param("x = $'42'", "'42'", id="number as text"),
        pytest.param("x = .1 + $.5", "0.5", id="fraction"),
        pytest.param("x = $9.9", "9.9", id="fraction of a query"),
        pytest.param("x = $'9.9'", "'9.9'", id="fraction written another way"),
        pytest.param("match ctx:\n  case {'name': $'Alice'}: pass", "'Alice'", id="pattern"),
        pytest.param("x = $'/members/7/tasks'", "'/members/7/tasks'", id="path"),
        pytest.param("x = $'/members?name=Alice&x=1'", "'/members?name=Alice&x=1'", id="query string"),
        pytest.param("x = $'/tasks/bob@example.com'", "'/tasks/bob@example.com'", id="text in a path"),
        pytest.param("x = 'a'\ny = $'red'; z = 'Alice'", "'red'", id="the first of several"),
        pytest.param("x = 'a', $'red'\ny = 'Alice'", "'red'", id="the first of several lines"),
    ],
)
def test_value_is_refused(marked: str, shown: str) -> None:
    source, line, column = unmark(f"{marked}\nREPLY = 0")
    verdict = judge(source, PLAN, max_bytes=CAP, values=VALUES, vocabulary=VOCABULARY)
    assert isinstance(verdict, Rejected), verdict
    assert (verdict.rule, verdict.line, verdict.column) == ("literal", line, column)
    assert verdict.message == f"policy plan refuses the constant {shown}: it is a value of the request"
    assert verdict.remedy == "read the value from ctx"


def test_value_in_an_f_string_is_refused() -> None:
    """Up to Python 3.11 the place is that of the whole f-string."""
    verdict = judge(
        "x = 1\ny = f'{x}/members/7/'\nREPLY = 0", PLAN, max_bytes=CAP, values=VALUES, vocabulary=VOCABULARY
    )
    assert isinstance(verdict, Rejected)
    assert (verdict.rule, verdict.line) == ("literal", 2)
    assert verdict.column in (5, 10)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("x = store.get(ctx['segments'][1])", id="read from ctx"),
        pytest.param("x = {'name': 1, 'members': 2, 'price': 3}", id="words of the shape"),
        pytest.param("x = '/members/tasks'", id="path of words of the shape"),
        pytest.param("x = 25, '25'", id="number in the vocabulary"),
        pytest.param("x = 'rate/42'", id="name that looks like a path in the vocabulary"),
        pytest.param("x = 0, 1, 2, 10, 100, 404", id="everyday numbers"),
        pytest.param("x = 'Alicia', 'alice', ' Alice', 'Al'", id="other texts"),
        pytest.param("x = 43, 420, 0.25", id="other numbers"),
        pytest.param("x = True, None, ...", id="no texts or numbers"),
        pytest.param("x = b'Alice'", id="bytes equal no JSON value"),
        pytest.param("Alice = 1\nx = Alice", id="a variable of that name"),
    ],
)
def test_plan_over_ctx_is_admitted(source: str) -> None:
    verdict = judge(f"{source}\nREPLY = 0", PLAN, max_bytes=CAP, values=VALUES, vocabulary=VOCABULARY)
    assert isinstance(verdict, Allowed)


@pytest.mark.parametrize("word", ["body_json", "segments", "Location", "GET", "items", "404", "1", "ab", ""])
def test_words_of_every_plan_are_no_values(word: str) -> None:
    assert foreign_literals(ast.parse(f"x = {word!r}"), [word], ()) is None


def test_without_values_nothing_is_a_value() -> None:
    assert isinstance(judge("REPLY = 'Alice', 7", PLAN, max_bytes=CAP), Allowed)


def test_names_of_members_are_not_values() -> None:
    assert foreign_literals(ast.parse("x = 'secret name'"), {"secret name": 1}, ()) is None


def test_true_and_false_are_no_values() -> None:
    assert foreign_literals(ast.parse("x = True, False, 5"), [True, False, 5.5], ()) is None
    assert foreign_literals(ast.parse("x = 5"), [True, 5], ()) is not None


def test_deep_values_and_huge_numbers() -> None:
    deep: object = "needle"
    for _ in range(20_000):
        deep = [deep]
    tree = ast.parse(f"x = 0x{'f' * 10_000}, 1e999, 'needle'")
    assert foreign_literals(tree, deep, ()) is not None
    assert foreign_literals(tree, [10**5000, float("inf"), float("nan")], ()) is not None  # 1e999 is inf
    assert foreign_literals(ast.parse(f"x = 0x{'f' * 10_000}"), [int("f" * 10_000, 16)], ()) is None


_VALUE = st.one_of(
    st.text("xyz é-", min_size=3, max_size=9),
    st.integers(1_000, 10**40),
    st.integers(-(10**40), -1_000),
    st.floats(0.01, 0.99),
    st.floats(1e18, 1e300),
)
_AROUND = st.recursive(
    st.one_of(st.text("abc", max_size=4), st.integers(0, 999), st.booleans(), st.none()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@settings(deadline=None)
@given(_VALUE, _AROUND)
def test_a_value_is_found_wherever_it_stands_and_nothing_else_is(value: str | float, around: object) -> None:
    tree = ast.parse(f"x = [{{'y': {value!r}}}]")
    request = json.loads(json.dumps([around, {"a": [around, {"b": value}]}]))
    assert foreign_literals(tree, request, ()) is not None
    assert foreign_literals(tree, [str(value)], ()) is not None
    assert foreign_literals(tree, around, ()) is None
    number = value if isinstance(value, str) else abs(int(value) if value == int(value) else value)
    assert foreign_literals(tree, request, {str(number)}) is None
