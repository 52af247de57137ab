"""A plan has to assign REPLY on every way through it; a plan that may not is refused before anybody waits."""

from __future__ import annotations

import ast
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox_runtime.policy import Allowed, Rejected
from sandbox_runtime.policy.paths import always_assigns
from tests.sandbox_runtime.policy.policy_cases import PLAN, assert_refused, execute_plan, verdict_on, wide

SURELY = [
    pytest.param("REPLY = 1", id="plain"),
    pytest.param("x = REPLY = y = 1", id="among other targets"),
    pytest.param("REPLY = None\nif ctx: REPLY = 1", id="default first"),
    pytest.param("if ctx: REPLY = 1\nelse: REPLY = 2", id="both branches"),
    pytest.param("if ctx: REPLY = 1\nelif plan: REPLY = 2\nelse: REPLY = 3", id="elif"),
    pytest.param(
        "if ctx:\n  if plan: REPLY = 1\n  else: REPLY = 2\nelse:\n  for x in ctx: pass\n  REPLY = 3",
        id="nested",
    ),
    pytest.param(
        "for x in ctx:\n  if x:\n    REPLY = 1\n    break\nelse:\n  REPLY = 2",
        id="before each break, or else",
    ),
    pytest.param("for x in ctx:\n  continue\nelse:\n  REPLY = 2", id="else of a loop without break"),
    pytest.param(
        "for x in ctx:\n  for y in x:\n    break\nelse:\n  REPLY = 2", id="the break is the inner loop's"
    ),
    pytest.param("match ctx:\n  case 1: REPLY = 1\n  case _: REPLY = 2", id="match with case _"),
    pytest.param("match ctx:\n  case [1]: REPLY = 1\n  case other: REPLY = 2", id="match with a capture"),
    pytest.param("REPLY = 1\nREPLY['body'] = 2\nREPLY |= {}", id="and changed"),
    pytest.param(f"{wide('REPLY')} = 1", id="in other letters"),
]
PERHAPS = [
    pytest.param("", id="empty"),
    pytest.param("x = 1", id="nothing"),
    pytest.param("reply = 1", id="another name"),
    pytest.param("if ctx: REPLY = 1", id="one branch"),
    pytest.param("if ctx: REPLY = 1\nelif plan: REPLY = 2", id="no else"),
    pytest.param("if ctx: REPLY = 1\nelif plan: pass\nelse: REPLY = 2", id="not in the elif"),
    pytest.param("for x in ctx: REPLY = 1", id="loop that may not run"),
    pytest.param("for REPLY in ctx: pass", id="loop variable"),
    pytest.param("for x in ctx:\n  break\nelse: REPLY = 1", id="a break skips the else"),
    pytest.param(
        "for x in ctx:\n  for y in x: pass\n  else: break\nelse: REPLY = 1", id="break in an inner else"
    ),
    pytest.param("for x in ctx:\n  if x: break\n  REPLY = 1\nelse: REPLY = 2", id="break too early"),
    pytest.param("for x in ctx:\n  match x:\n    case _: break\nelse: REPLY = 2", id="break in a match"),
    pytest.param("match ctx:\n  case 1: REPLY = 1", id="match without case _"),
    pytest.param("match ctx:\n  case 1: REPLY = 1\n  case _ if plan: REPLY = 2", id="guarded case _"),
    pytest.param("match ctx:\n  case 1: REPLY = 1\n  case [_]: REPLY = 2", id="wildcard inside"),
    pytest.param("match ctx:\n  case 1: REPLY = 1\n  case [_] as x: REPLY = 2", id="wildcard inside as"),
    pytest.param("match ctx:\n  case 1: pass\n  case _: REPLY = 2", id="not in every case"),
    pytest.param("x = [1 for REPLY in ctx]", id="variable of a comprehension"),
    pytest.param("match ctx:\n  case REPLY: pass", id="capture only"),
    pytest.param("if ctx and (REPLY := 1): pass", id="walrus"),
    pytest.param("x = make_response(200, {})", id="not kept"),
    pytest.param("x = {'REPLY': 1}\nx['REPLY'] = 2", id="member of that name"),
]


@pytest.mark.parametrize("source", SURELY)
def test_admitted(source: str) -> None:
    assert isinstance(verdict_on(source, PLAN), Allowed)


@pytest.mark.parametrize("source", PERHAPS)
def test_refused(source: str) -> None:
    verdict = verdict_on(source, PLAN)
    assert isinstance(verdict, Rejected)
    assert (verdict.rule, verdict.line, verdict.column) == ("unassigned", None, None)
    assert verdict.message == "policy plan refuses a program that may end without assigning REPLY"
    assert "REPLY = " in verdict.remedy


def test_the_tables_come_first() -> None:
    assert_refused("x = $open", "name", PLAN)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("for x in y:\n  while x: break\nelse: REPLY = 1", id="while"),
        pytest.param("try: REPLY = 1\nexcept E: pass", id="try"),
        pytest.param("for x in y:\n  try: break\n  finally: pass\nelse: REPLY = 1", id="break in a try"),
        pytest.param("def f(): REPLY = 1", id="in a function"),
        pytest.param("class A: REPLY = 1", id="in a class"),
    ],
)
def test_statements_outside_the_table_promise_nothing(source: str) -> None:
    assert not always_assigns(ast.parse(source), "REPLY")


def test_a_thousand_elif_parts_and_the_deepest_nesting() -> None:
    chain = "if ctx: REPLY = 0\n" + "elif plan: REPLY = 1\n" * 1_000 + "else: REPLY = 2"
    assert isinstance(verdict_on(chain, PLAN), Allowed)
    deep = "".join(f"{' ' * depth}for x in ctx:\n" for depth in range(20)) + f"{' ' * 20}pass\nREPLY = 1"
    assert isinstance(verdict_on(deep, PLAN), Allowed)
    branches = "".join(f"{' ' * depth}if ctx:\n" for depth in range(98)) + f"{' ' * 98}x = 1\nREPLY = 1"
    assert isinstance(verdict_on(branches, PLAN), Allowed)


_FLAGS = 3


def _indented(body: str) -> str:
    return "".join(f"  {line}\n" for line in body.splitlines())


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    flag = st.sampled_from([f"ctx[{n}]" for n in range(_FLAGS)])
    body = inner.map(_indented)
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(flag, body).map(lambda p: f"if {p[0]}:\n{p[1]}"),
        st.tuples(flag, body, body).map(lambda p: f"if {p[0]}:\n{p[1]}else:\n{p[2]}"),
        st.tuples(flag, body, flag, body, body).map(
            lambda p: f"if {p[0]}:\n{p[1]}elif {p[2]}:\n{p[3]}else:\n{p[4]}"
        ),
        st.tuples(flag, body).map(lambda p: f"for x in range({p[0]}):\n{p[1]}"),
        st.tuples(flag, body, body).map(lambda p: f"for x in range({p[0]}):\n{p[1]}else:\n{p[2]}"),
        st.tuples(flag, body, body).map(
            lambda p: f"match {p[0]}:\n  case 1:\n{_indented(p[1])}  case _:\n{_indented(p[2])}"
        ),
        st.tuples(flag, body).map(lambda p: f"match {p[0]}:\n  case 1:\n{_indented(p[1])}"),
    )


_PROGRAMS = st.recursive(
    st.sampled_from(["REPLY = 1\n", "REPLY = 1\n", "pass\n", "break\n", "continue\n"]), _blocks, max_leaves=9
)


@settings(deadline=None, max_examples=300)
@given(_PROGRAMS)
def test_what_is_admitted_assigns_whatever_the_branches(source: str) -> None:
    try:
        code = compile(source, "main.py", "exec", dont_inherit=True)
    except SyntaxError:
        return  # a break outside a loop: the parser lets it pass, the compiler does not
    outcomes = [execute_plan(code, ctx=flags) for flags in product(range(2), repeat=_FLAGS)]
    if isinstance(verdict_on(source, PLAN), Allowed):
        assert outcomes == [1] * len(outcomes)
    if "if" not in source and "for" not in source and "match" not in source:
        assert isinstance(verdict_on(source, PLAN), Allowed) is (outcomes[0] == 1)
