"""The judge reads tables only: other policies are other rows, and what a row leaves out is refused."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox_runtime.policy import POLICIES, AllBut, Allowed, Only, Policy, Rejected
from sandbox_runtime.policy.shape import words
from tests.sandbox_runtime.policy.policy_cases import RESTRICTED, assert_allowed, assert_refused, verdict_on

# What a planner's program looks like: names, methods and functions from lists, nothing defined, nothing kept.
PLAN = Policy(
    name="plan",
    version=7,
    nodes=RESTRICTED.nodes - words("FunctionDef Lambda Try Raise Global Nonlocal Import ImportFrom Match"),
    absent_parts={"comprehension": ("is_async",)},
    free_names=Only(words("ctx store len sorted make_response")),
    bindable_names=AllBut(words("ctx store len sorted make_response")),
    attributes=Only(words("status")),
    methods=Only(words("get list append")),
    writable_attributes=Only(words("status")),
    callees=words("Name Attribute"),
    functions=Only(words("len sorted make_response")),
)

# What a loaded function looks like: all the language but a few nodes, and a list of imports.
FUNCTION = Policy(
    name="function",
    version=3,
    nodes=RESTRICTED.nodes | words("ClassDef Yield With withitem"),
    free_names=AllBut(words("open exec eval compile")),
    bindable_names=AllBut(),
    attributes=AllBut(words("format gi_frame sys os")),
    methods=AllBut(words("format format_map")),
    writable_attributes=AllBut(words("frozen")),
    callees=words("Name Attribute Call Subscript"),
    functions=AllBut(words("breakpoint")),
    imports={"math": AllBut(words("nan")), "collections.abc": Only(words("Mapping")), "__future__": AllBut()},
)


@pytest.mark.parametrize(
    ("marked", "rule"),
    [
        pytest.param("$def f(): pass", "node", id="definition"),
        pytest.param("x = $lambda: 0", "node", id="lambda"),
        pytest.param("$import math", "node", id="import"),
        pytest.param("x = $sum", "name", id="builtin outside the list"),
        pytest.param("x = $sum([1])", "function", id="builtin outside the list, called"),
        pytest.param("x = $unknown", "name", id="unknown name"),
        pytest.param("$ctx = 1", "binding", id="supplied name rebound"),
        pytest.param("for $store in ctx: pass", "binding", id="supplied name as loop variable"),
        pytest.param("x = [len for $len in ctx]", "binding", id="builtin rebound"),
        pytest.param("f = store.$list", "attribute", id="method kept for later"),
        pytest.param("store.$delete(1)", "attribute", id="method outside the list"),
        pytest.param("store.$status()", "attribute", id="attribute called"),
        pytest.param("store.$rows = 1", "attribute-write", id="write outside the list"),
        pytest.param("x = len\n$x(ctx)", "function", id="function by another name"),
        pytest.param("$ctx(1)", "function", id="value called"),
        pytest.param("$store.get(1)(2)", "call", id="result called"),
        pytest.param("$store['list']()", "call", id="item called"),
        pytest.param("x = store.$_private", "underscore", id="underscore"),
    ],
)
def test_plan_shaped_policy_refuses(marked: str, rule: str) -> None:
    assert_refused(marked, rule, PLAN)


@pytest.mark.parametrize(
    ("marked", "rule"),
    [
        pytest.param("import $os", "import", id="module outside the table"),
        pytest.param("import math, $subprocess", "import", id="second module"),
        pytest.param("import $collections", "import", id="parent of a listed module"),
        pytest.param("import $math.x", "import", id="child of a listed module"),
        pytest.param("from math import $nan", "import", id="name taken out"),
        pytest.param("from math import floor, $_x", "import", id="private name"),
        pytest.param("from math import $*", "import", id="star"),
        pytest.param("$from .math import floor", "import", id="relative"),
        pytest.param("from collections.abc import Mapping, $Set", "import", id="name not listed"),
        pytest.param("import $math as __m", "underscore", id="underscore alias"),
        pytest.param("from math import $floor as __m", "underscore", id="underscore alias of a name"),
        pytest.param("$open('x')", "name", id="refused name"),
        pytest.param("$breakpoint()", "function", id="refused function"),
        pytest.param("import math\nmath.$sys", "attribute", id="module behind a module"),
        pytest.param("x.$frozen = 1", "attribute-write", id="refused write"),
        pytest.param("async_ = 1\n$async def f(): pass", "node", id="node outside the table"),
    ],
)
def test_function_shaped_policy_refuses(marked: str, rule: str) -> None:
    assert_refused(marked, rule, FUNCTION)


@pytest.mark.parametrize(
    ("source", "policy"),
    [
        pytest.param(
            "rows = [r for r in store.list() if r.get('a')]\nctx.status = len(rows)\n"
            "x = make_response(200, sorted(rows))",
            PLAN,
            id="plan",
        ),
        pytest.param(
            "from __future__ import annotations\nimport math as m\nfrom collections.abc import Mapping as M\n"
            "class A:\n  def f(self):\n    self.x = m.floor(1.5)\n    yield self.x\n",
            FUNCTION,
            id="function",
        ),
        pytest.param("import math\nfrom math import open", FUNCTION, id="an import binds"),
        pytest.param("from math import open\nopen('x')", FUNCTION, id="and then the name is the program's"),
        pytest.param("import math as exec\nexec.floor(1)", FUNCTION, id="under an alias, too"),
    ],
)
def test_other_shapes_allow(source: str, policy: Policy) -> None:
    assert_allowed(source, policy)


EMPTY = Policy(name="empty", version=1)
_ONE_OF_EACH = """
def f(a, *b, c=1, **d) -> int: return a
x: int = 1
x += 1 - 2 * 3 / 4 % 5 ** 6 << 7 >> 8 | 9 ^ 10 & 11 // 12
for i in [1]: continue
while x and not x or ~x: break
if x == 1 != 2 < 3 <= 4 > 5 >= 6 is 7 is not 8 in 9 not in 10: pass
del x
try: raise ValueError
except ValueError as e: assert e
def g():
  global h
  def k():
    nonlocal_ = 1
  nonlocal_ = 2
  def m(): nonlocal nonlocal_
match x:
  case None | 1: pass
  case [a, *b] as c: pass
  case {'a': 1}: pass
y = lambda: (z := 1)
y = {1: 2}, {1}, [*(i for i in x)], [i for i in x], {i for i in x}, {i: i for i in x}
y = f'{y}', y[1:2], -1, +1, f(a=1), 1 if 2 else 3, y.real
f(x)
import a
from a import b
"""


def test_a_policy_that_says_nothing_allows_nothing() -> None:
    assert_refused("$", "node", EMPTY)
    assert not EMPTY.whole_language


@pytest.mark.parametrize("kind", sorted(RESTRICTED.nodes))
def test_every_node_taken_out_of_the_table_is_refused(kind: str) -> None:
    policy = replace(RESTRICTED, nodes=RESTRICTED.nodes - {kind}, imports={"a": AllBut()})
    verdict = verdict_on(_ONE_OF_EACH, policy)
    assert isinstance(verdict, Rejected)
    assert (verdict.rule, kind in verdict.message) == ("node", True)
    assert verdict.remedy


def test_one_of_each_is_allowed_by_the_whole_table() -> None:
    assert_allowed(_ONE_OF_EACH, replace(RESTRICTED, imports={"a": AllBut()}))
    present = {type(node).__name__ for node in ast.walk(ast.parse(_ONE_OF_EACH))}
    assert present == RESTRICTED.nodes


def test_tables_name_real_nodes() -> None:
    known = {name for name, kind in vars(ast).items() if isinstance(kind, type) and issubclass(kind, ast.AST)}
    known |= words("TypeAlias TypeVar ParamSpec TypeVarTuple")  # of Python 3.12
    for policy in POLICIES.values():
        assert policy.nodes <= known
        assert set(policy.absent_parts) <= policy.nodes
        assert policy.callees <= policy.nodes
        for kind, fields in policy.absent_parts.items():
            assert set(fields) <= set(getattr(ast, kind)._fields)


def test_policies_are_found_by_their_names() -> None:
    assert {name: policy.name for name, policy in POLICIES.items()} == {
        "program": "program",
        "restricted": "restricted",
        "plan": "plan",
        "function": "function",
    }
    assert [name for name, policy in POLICIES.items() if policy.whole_language] == ["program"]
    assert all(policy.version >= 1 for policy in POLICIES.values())


_GOOD = ["x = 1", "print(data)", "for i in data: pass", "y = [a.real for a in data]", "# é"]
_BAD = ["import os", "x = 1; open(x)", "class A: pass", "x = é.__class__ + 'é'", "lambda: (yield)"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(_GOOD + _BAD)))
def test_the_first_violation_in_the_source_is_the_one_named(lines: list[str]) -> None:
    verdict = verdict_on("\n".join(lines))
    first = next((number for number, line in enumerate(lines, 1) if line in _BAD), None)
    if first is None:
        assert isinstance(verdict, Allowed)
    else:
        assert isinstance(verdict, Rejected)
        assert verdict.line == first


_PIECES = st.sampled_from(
    ["x", "data", "len", "open", "_", "__y", "print(data)", "[1]", "'a'", "{}", "x.real", "x.format"]
)
_EXPRESSIONS = st.recursive(
    _PIECES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(" + ".join),
        inner.map("[{}]".format),
        inner.map("({}).get".format),
        inner.map("({}).gi_frame".format),
        inner.map("({}).__class__".format),
        inner.map("(lambda y=({}): y)".format),
        inner.map("f'{{({})}}'".format),
        st.tuples(inner, inner).map("({0[0]})({0[1]})".format),
        st.tuples(inner, inner).map("[{0[0]} for x in ({0[1]})]".format),
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(_EXPRESSIONS)
def test_what_is_allowed_says_nothing_that_is_refused(expression: str) -> None:
    """Checked by other means than the judge's own walk."""
    verdict = verdict_on(f"y = {expression}")
    if isinstance(verdict, Allowed):
        for node in ast.walk(verdict.tree):
            if isinstance(node, ast.Attribute):
                assert node.attr in ("real", "get")
            elif isinstance(node, ast.Name):
                assert node.id in ("x", "y", "data", "len", "print", "_", "f")
