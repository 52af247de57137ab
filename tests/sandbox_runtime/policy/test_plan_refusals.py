"""What ``plan`` refuses, each where it stands."""

from __future__ import annotations

import ast
import builtins

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox_runtime.policy import Allowed, Rejected, plan_builtins
from sandbox_runtime.policy.builtin_names import ALLOWED_FUNCTIONS, PLAN_FUNCTIONS
from sandbox_runtime.policy.plan_names import GIVEN, METHODS
from tests.sandbox_runtime.policy.policy_cases import (
    PLAN,
    assert_allowed,
    assert_plan_refused,
    since_3_12,
    since_3_14,
    verdict_on,
    wide,
)


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("$def f(): pass", id="def"),
        pytest.param("$async def f(): pass", id="async def"),
        pytest.param("f = $lambda: 0", id="lambda"),
        pytest.param("x = sorted(ctx, key=$lambda row: row['a'])", id="lambda as key"),
        pytest.param("$class A: pass", id="class"),
        pytest.param("$return", id="return"),
        pytest.param("$yield 1", id="yield"),
        pytest.param("x = $yield from ctx", id="yield from"),
        pytest.param("x = $await ctx", id="await"),
        pytest.param("$async for x in ctx: pass", id="async for"),
        pytest.param("$async with ctx: pass", id="async with"),
        pytest.param("$with store: pass", id="with"),
        pytest.param("$try: x = 1\nexcept: pass", id="try"),
        pytest.param("$try: x = 1\nfinally: pass", id="finally"),
        pytest.param("$try: x = 1\nexcept* ctx: pass", id="except star"),
        pytest.param("$raise ctx", id="raise"),
        pytest.param("$raise", id="bare raise"),
        pytest.param("$assert ctx", id="assert"),
        pytest.param("$while ctx: pass", id="while"),
        pytest.param("if ctx:\n  for x in ctx:\n    $while True: pass", id="while, nested"),
        pytest.param("$del ctx", id="del of a given name"),
        pytest.param("x = 1\n$del x", id="del of a variable"),
        pytest.param("$del ctx['body_json']", id="del of a member"),
        pytest.param("$del ctx.body", id="del of an attribute: the first in the source"),
        pytest.param("$global x", id="global"),
        pytest.param("$nonlocal x", id="nonlocal"),
        pytest.param("$x: int = 1", id="annotated"),
        pytest.param("$x: int", id="annotation alone"),
        pytest.param("$type X = int", id="type statement", marks=since_3_12),
        pytest.param("match ctx:\n  case $dict(): pass", id="class pattern"),
        pytest.param("match ctx:\n  case $dict(keys=x): pass", id="class pattern with attribute"),
        pytest.param("match ctx:\n  case [1, {'a': $str(x)}]: pass", id="class pattern inside"),
        pytest.param("x = $9 ** 9 ** 9", id="power"),
        pytest.param("x = 9\n$x **= 9", id="power in place"),
        pytest.param("x = $1 << 9999999999", id="shift"),
        pytest.param("x = 1\n$x <<= 9999999999", id="shift in place"),
        pytest.param("x = $8 >> 1", id="right shift"),
        pytest.param("x = $'%999999999d' % 1", id="percent template"),
        pytest.param("x = $7 % 2", id="remainder"),
        pytest.param("x = '%s'\n$x %= ctx", id="percent in place"),
        pytest.param("x = $ctx @ ctx", id="matrix multiplication"),
        pytest.param("x = $~1", id="inversion"),
        pytest.param("x = $t'{ctx}'", id="t-string", marks=since_3_14),
    ],
)
def test_construct_is_refused(marked: str) -> None:
    verdict = assert_plan_refused(marked, "node")
    assert verdict.remedy


@pytest.mark.parametrize(
    ("marked", "module"),
    [
        pytest.param("import $os", "'os'", id="import"),
        pytest.param("import $json", "'json'", id="harmless module"),
        pytest.param("$from os import path", "'os'", id="from"),
        pytest.param("$from . import x", "'.'", id="relative"),
        pytest.param("$from __future__ import annotations", "'__future__'", id="future"),
        pytest.param("if ctx:\n  import $_thread as ctx_", "'_thread'", id="private module"),
    ],
)
def test_import_is_refused_by_name(marked: str, module: str) -> None:
    assert module in assert_plan_refused(marked, "import").message


@pytest.mark.parametrize("name", sorted(GIVEN | PLAN_FUNCTIONS))
@pytest.mark.parametrize(
    "template",
    [
        pytest.param("${} = 1", id="assignment"),
        pytest.param("x = ${} = 1", id="second target"),
        pytest.param("${} += 1", id="augmented"),
        pytest.param("for ${} in ctx: pass", id="loop"),
        pytest.param("for x, [y, *${}] in ctx: pass", id="unpacking in a loop"),
        pytest.param("x = [1 for ${} in ctx]", id="comprehension"),
        pytest.param("x = any(1 for (y, ${}) in ctx)", id="generator expression"),
        pytest.param("if (${} := 1): pass", id="walrus"),
        pytest.param("x = [z for z in ctx if (${} := z)]", id="walrus in a comprehension"),
        pytest.param("match ctx:\n  case ${}: pass", id="capture"),
        pytest.param("match ctx:\n  case $[1] as {}: pass", id="as pattern"),
        pytest.param("match ctx:\n  case [1, $*{}]: pass", id="star pattern"),
    ],
)
def test_given_name_keeps_its_meaning(template: str, name: str) -> None:
    verdict = assert_plan_refused(template.replace("{}", name), "binding")
    assert f"'{name}'" in verdict.message


def test_given_name_keeps_its_meaning_in_other_letters() -> None:
    assert_plan_refused(f"${wide('store')} = 1", "binding")
    assert_plan_refused("match ctx:\n  case ${'a': 1, **ctx}: pass", "binding")


MISSING = sorted(name for name in vars(builtins) if name not in PLAN_FUNCTIONS and not name.startswith("_"))
MISSING = [name for name in MISSING if name not in ("True", "False", "None")]


@pytest.mark.parametrize("name", MISSING)
def test_other_builtin_is_refused(name: str) -> None:
    assert_plan_refused(f"x = ${name}", "name")
    assert_plan_refused(f"x = ${name}(ctx)", "function")
    assert_plan_refused(f"x = [*map(${name}, ctx)]", "name")


@pytest.mark.parametrize(
    ("marked", "rule"),
    [
        pytest.param("x = $data", "name", id="a name of another policy"),
        pytest.param("x = $unknown", "name", id="a name nobody binds"),
        pytest.param("x = $__builtins__", "underscore", id="builtins"),
        pytest.param("$__annotations__ = {}", "underscore", id="annotations"),
        pytest.param("$_private = 1", "underscore", id="underscore"),
        pytest.param("x = make_response($__x=1)", "underscore", id="keyword"),
        pytest.param("x = len\ny = $x(ctx)", "function", id="function under another name"),
        pytest.param("input = 1\nx = $input(ctx)", "function", id="variable called"),
        pytest.param("for f in [len, str]: x = $f(ctx)", "function", id="function out of a list"),
        pytest.param("x = $store(1)", "function", id="store called"),
        pytest.param("x = $session_store('a')", "function", id="session store called"),
        pytest.param("x = $REPLY(1)", "function", id="reply called"),
        pytest.param("x = $[len][0](ctx)", "call", id="item called"),
        pytest.param("x = $(len or sum)(ctx)", "call", id="choice called"),
        pytest.param("x = $store.get(1)(2)", "call", id="result called"),
        pytest.param("x = $f'{ctx}'()", "call", id="f-string called"),
        pytest.param("x = $list[int]()", "call", id="generic alias called"),
    ],
)
def test_name_or_call_is_refused(marked: str, rule: str) -> None:
    assert_plan_refused(marked, rule)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param("x = store.get", "it may only be called on the spot", id="method"),
        pytest.param("x = ctx.method", "value['name']", id="member"),
        pytest.param("print(1)", "nobody reads", id="print"),
        pytest.param("x = hash(ctx)", "hash seed", id="hash"),
        pytest.param("x = open('a')", "it opens files", id="open"),
        pytest.param("x = 7 % 2", "divmod", id="remainder"),
        pytest.param("while ctx: pass", "for", id="while"),
        pytest.param("x = '1'.zfill(3)", "f'{n:04d}'", id="zfill"),
        pytest.param("session_store.commit()", "400", id="commit"),
        pytest.param("x = unknown", "make_response", id="name: what there is"),
        pytest.param("x = unknown", "sorted", id="name: what functions there are"),
    ],
)
def test_refusal_tells_what_to_write_instead(source: str, words: str) -> None:
    verdict = verdict_on(f"{source}\nREPLY = 0", PLAN)
    assert isinstance(verdict, Rejected)
    assert words in f"{verdict.message}; {verdict.remedy}"


def test_a_plan_has_fewer_functions_than_a_restricted_program() -> None:
    assert PLAN_FUNCTIONS < ALLOWED_FUNCTIONS
    assert sorted(ALLOWED_FUNCTIONS - PLAN_FUNCTIONS) == (
        "ascii bin callable chr complex format hash hex issubclass iter oct ord pow print repr slice".split()
    )


def test_plan_builtins_are_what_the_table_says_and_fresh() -> None:
    first = plan_builtins()
    assert first == {name: getattr(builtins, name) for name in PLAN_FUNCTIONS}
    first.clear()
    assert plan_builtins().keys() == PLAN_FUNCTIONS


_PIECES = st.sampled_from(
    "ctx store len open x __y hash(ctx) store.get(1) store.commit() ctx.get 'a' f'{ctx!r}' (1<<9)".split()
)
_EXPRESSIONS = st.recursive(
    _PIECES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(" + ".join),
        st.tuples(inner, inner).map(" % ".join),
        inner.map("[{}]".format),
        inner.map("({}).get".format),
        inner.map("({}).get()".format),
        inner.map("({}).gi_frame".format),
        inner.map("len({})".format),
        inner.map("(lambda: {})".format),
        inner.map("(len := {})".format),
        inner.map('f"{{({}):>5}}"'.format),
        st.tuples(inner, inner).map("({0[0]})({0[1]})".format),
        st.tuples(inner, inner).map("[{0[0]} for x in ({0[1]})]".format),
        st.tuples(inner, inner).map("[{0[0]} for store in ({0[1]})]".format),
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(_EXPRESSIONS)
def test_what_is_admitted_says_nothing_that_is_refused(expression: str) -> None:
    """Checked by other means than the judge's own walk."""
    verdict = verdict_on(f"x = REPLY = {expression}", PLAN)
    if not isinstance(verdict, Allowed):
        return
    called = [node.func for node in ast.walk(verdict.tree) if isinstance(node, ast.Call)]
    for node in ast.walk(verdict.tree):
        assert not isinstance(node, ast.Lambda | ast.Mod | ast.LShift)
        if isinstance(node, ast.Attribute):
            assert node.attr in METHODS
            assert node in called
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            assert node.id in ("x", "REPLY")
        elif isinstance(node, ast.Name):
            assert node.id in GIVEN | PLAN_FUNCTIONS | {"x", "REPLY"}
        elif isinstance(node, ast.FormattedValue):
            assert node.conversion == -1
    assert {node.id for node in called if isinstance(node, ast.Name)} <= PLAN_FUNCTIONS


def test_control_the_property_meets_admitted_plans() -> None:
    assert_allowed("x = REPLY = [len(store.get(1)) for x in (ctx['a'])]", PLAN)
