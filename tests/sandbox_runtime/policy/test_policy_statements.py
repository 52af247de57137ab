"""Statements that ``restricted`` refuses, each where it stands."""

from __future__ import annotations

import pytest

from tests.sandbox_runtime.policy.policy_cases import (
    assert_refused,
    since_3_12,
    wide,
)


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("$class A: pass", id="class"),
        pytest.param("x = 1\n$class A(list): pass", id="class with base"),
        pytest.param("$async def f(): pass", id="async def"),
        pytest.param("$async def f():\n  async for x in y: pass", id="async for"),
        pytest.param("$with data as x: pass", id="with"),
        pytest.param("$with (data, data): pass", id="with several"),
        pytest.param("$try: pass\nexcept* ValueError as e: x = e", id="except star"),
        pytest.param("$type X = int", id="type statement", marks=since_3_12),
        pytest.param("$type X[T] = list[T]", id="generic type statement", marks=since_3_12),
        pytest.param("def f[$T](x: T) -> T: return x", id="type variable", marks=since_3_12),
        pytest.param("def f[$T: int](x): return x", id="bounded type variable", marks=since_3_12),
        pytest.param("def f[$*T](x): return x", id="type variable tuple", marks=since_3_12),
        pytest.param("def f[$**P](x): return x", id="parameter specification", marks=since_3_12),
        pytest.param("if data:\n  while data:\n    for x in data:\n      $class A: pass", id="nested deep"),
        pytest.param("def f():\n  def g():\n    $class A: pass", id="in a function"),
    ],
)
def test_refused(marked: str) -> None:
    assert_refused(marked, "node")


@pytest.mark.parametrize(
    ("marked", "name"),
    [
        pytest.param("import $os", "'os'", id="import"),
        pytest.param("import $os.path", "'os.path'", id="dotted"),
        pytest.param("import $os as math", "'os'", id="under another name"),
        pytest.param("import $math", "'math'", id="harmless module"),
        pytest.param("$from os import path", "'os'", id="from"),
        pytest.param("$from os import *", "'os'", id="star"),
        pytest.param("$from . import x", "'.'", id="relative"),
        pytest.param("$from ..a import x", "'..a'", id="relative with a name"),
        pytest.param("$from __future__ import annotations", "'__future__'", id="future"),
        pytest.param("import $_thread", "'_thread'", id="private module"),
        pytest.param("try:\n  import $os\nexcept Exception: pass", "'os'", id="guarded"),
        pytest.param("def f():\n  $from builtins import open", "'builtins'", id="in a function"),
        pytest.param(f"import ${wide('os')}", "'os'", id="not normalised"),
    ],
)
def test_import_is_refused_by_name(marked: str, name: str) -> None:
    assert name in assert_refused(marked, "import").message
