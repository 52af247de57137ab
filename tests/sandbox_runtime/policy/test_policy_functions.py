"""Functions: decorators, generators, coroutines and lambdas under ``restricted``."""

from __future__ import annotations

import pytest

from tests.sandbox_runtime.policy.policy_cases import assert_allowed, assert_refused


@pytest.mark.parametrize(
    ("marked", "rule"),
    [
        pytest.param("@$print\ndef f(): pass", "part", id="decorator"),
        pytest.param("@($lambda f: f)\ndef f(): pass", "part", id="lambda as decorator"),
        pytest.param("@$print\n@print\ndef f(): pass", "part", id="two decorators: the first"),
        pytest.param("def f():\n  @$g\n  def h(): pass", "part", id="decorator inside"),
        pytest.param("@print\n$class A: pass", "node", id="decorated class"),
        pytest.param("def f():\n  $yield", "node", id="yield"),
        pytest.param("def f():\n  x = $yield 1", "node", id="yield as value"),
        pytest.param("def f():\n  $yield from data", "node", id="yield from"),
        pytest.param("f = lambda: ($yield)", "node", id="yield in a lambda"),
        pytest.param("$await data", "node", id="await"),
        pytest.param("x = $[y async for y in data]", "part", id="async list"),
        pytest.param("x = ${y: 1 async for y in data}", "part", id="async dict"),
        pytest.param("x = f$(y async for y in data)", "part", id="async generator expression"),
        pytest.param("f = lambda x=$open: x", "name", id="lambda default"),
        pytest.param("def f(x=$open): return x", "name", id="def default"),
        pytest.param("def f(*, x=$open): return x", "name", id="keyword-only default"),
        pytest.param("def f(x: $open): return x", "name", id="annotation"),
        pytest.param("def f(x) -> $open: return x", "name", id="return annotation"),
        pytest.param("def f(*$__x): pass", "underscore", id="star parameter"),
        pytest.param("def f(**$__x): pass", "underscore", id="double star parameter"),
        pytest.param("def f($__x, /): pass", "underscore", id="positional-only parameter"),
        pytest.param("def f(*, $__x): pass", "underscore", id="keyword-only parameter"),
        pytest.param("lambda $__x: 0", "underscore", id="lambda parameter"),
        pytest.param("$def __f(): pass", "underscore", id="function name"),
        pytest.param("f($__x=1)", "underscore", id="keyword argument"),
        pytest.param("$'a'()", "call", id="calling a string"),
        pytest.param("$[len]()", "call", id="calling a list"),
    ],
)
def test_refused(marked: str, rule: str) -> None:
    assert_refused(marked, rule)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def f(a, /, b=1, *c, d, e=2, **g): return a", id="every kind of parameter"),
        pytest.param("f = lambda a, *b, c=1, **d: (a, b, c, d)", id="lambda"),
        pytest.param(
            "def f(x: list[int], y: int | None = None) -> dict[str, float]: return {}", id="annotated"
        ),
        pytest.param("x: int = 1\ny: list[str]", id="annotated assignment"),
        pytest.param("def f(_): return 1\ng = lambda _: 1", id="underscore parameter"),
        pytest.param("print(*data, **{'sep': ''})", id="star arguments"),
        pytest.param(
            "[len, sum][0](data), (lambda: 1)(), (len or sum)(data), (f := len)(data)", id="callees"
        ),
        pytest.param("g = (x for x in data)\nnext(g)", id="generator expression"),
    ],
)
def test_allowed(source: str) -> None:
    assert_allowed(source)
