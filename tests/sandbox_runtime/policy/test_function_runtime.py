"""What the judge cannot see in the text meets the builtins of the run.

Each module is admitted. Under the policy's builtins it ends with exactly this error; a control run under the
whole of Python shows what it would have reached.
"""

from __future__ import annotations

import builtins
from textwrap import dedent

import pytest

from tests.sandbox_runtime.policy.function_cases import (
    assert_function_allowed,
    evaluate,
    is_function_prize,
    loaded,
    loot_of,
)

UNSEEN = [
    pytest.param("import uuid\nfor m in [uuid]: loot = m.os", AttributeError, id="module by another name"),
    pytest.param("import asyncio\na = [asyncio][0]\nloot = a.events", AttributeError, id="submodule"),
    pytest.param("def f(open): return open\nloot = open", NameError, id="bound in another scope"),
    pytest.param("for eval in []: pass\nloot = eval", NameError, id="bound by no iteration"),
    pytest.param("class C:\n    globals = 1\nloot = globals()", NameError, id="bound in a class"),
    pytest.param("exec = 1\ndel exec\nloot = exec", NameError, id="bound and deleted"),
    pytest.param("loot = getattr(lambda: 0, '__glo' + 'bals__')", TypeError, id="getattr"),
    pytest.param("loot = [*map(getattr, [lambda: 0], ['__globals__'])][0]", TypeError, id="getattr mapped"),
    pytest.param("f = getattr\nloot = f(lambda: 0, '__globals__', None)", TypeError, id="getattr renamed"),
    pytest.param(
        """
        class Name(str):
            def startswith(self, *others): return False
        loot = getattr(lambda: 0, Name('__globals__'))
        """,
        TypeError,
        id="getattr of a name that lies",
    ),
    pytest.param(
        "class A: pass\nsetattr(A, '__ge' + 'tattr__', lambda s, n: type)\nloot = A().x",
        TypeError,
        id="setattr",
    ),
    pytest.param(
        "class A:\n    def __call__(self): pass\ndelattr(A, '__ca' + 'll__')\nloot = 'PRIZE'",
        TypeError,
        id="delattr",
    ),
    pytest.param("loot = type(type(1))", TypeError, id="class of a class"),
    pytest.param("make = type\nloot = type(make('X', (), {}))", TypeError, id="class by a renamed type"),
    pytest.param("loot = type(type[int]('X', (), {}))", TypeError, id="class by a generic alias"),
    pytest.param(
        "from typing import Type\nT = Type['B']\nsetattr(T, '_in' + 'st', True)\nloot = type(T('X', (), {}))",
        TypeError,
        id="class by typing.Type",
    ),
    pytest.param("base = [type][0]\nclass A(base): pass\nloot = type(A)", TypeError, id="metaclass"),
    pytest.param(
        "from abc import ABC\nclass A(ABC): pass\nloot = type(type(A))",
        TypeError,
        id="class of an abstract class",
    ),
    pytest.param(
        "from operator import attrgetter\nname = '__glo' + 'bals__'\nloot = attrgetter(name)(lambda: 0)",
        TypeError,
        id="attrgetter",
    ),
    pytest.param(
        "from operator import attrgetter\nclass A:\n    def f(self): pass\n"
        "loot = attrgetter('.'.join(['f', '__globals__']))(A)",
        TypeError,
        id="attrgetter with a dot",
    ),
    pytest.param(
        "import operator\nloot = operator.methodcaller('m' + 'ro')(int) and 'PRIZE'",
        TypeError,
        id="methodcaller",
    ),
    pytest.param(
        "import functools\nclass Box: pass\ndef f(): pass\n"
        "functools.wraps(f, assigned=('__globals__',))(Box())\nloot = 'PRIZE'",
        TypeError,
        id="wraps reads attributes",
    ),
    pytest.param(
        "import functools\nclass Box: pass\ndef f(): pass\n"
        "functools.update_wrapper(Box(), f, ('__globals__',))\nloot = 'PRIZE'",
        TypeError,
        id="update_wrapper",
    ),
    pytest.param(
        "from enum import Enum\nmake = [Enum][0]\nloot = make('E', {'__call__': 1, 'A': 'PRIZE'}).A.value",
        TypeError,
        id="enumeration from texts",
    ),
    pytest.param(
        "from enum import Enum\nclass Base(Enum): pass\nloot = Base('E', {'A': 'PRIZE'}).A.value",
        TypeError,
        id="enumeration from an empty one",
    ),
    pytest.param(
        """
        from dataclasses import dataclass, fields
        hits = []
        @dataclass(init=False)
        class A:
            x: int = 0
        fields(A)[0].name = 'x or hits.append(int.__class__)'
        @dataclass(init=False)
        class B(A):
            y: int = 0
        repr(B())
        loot = hits[0]
        """,
        IndexError,
        id="field renamed, whose name becomes code",
    ),
    pytest.param(
        """
        from dataclasses import dataclass, field
        hits = []
        kept = field(default=0)
        @dataclass(init=False)
        class A:
            x: int = kept
        kept.name = 'x or hits.append(int.__class__)'
        @dataclass(init=False)
        class B(A):
            y: int = 0
        repr(B())
        loot = hits[0]
        """,
        IndexError,
        id="field that was kept renamed",
    ),
]


@pytest.mark.parametrize(("source", "error"), UNSEEN)
def test_judge_admits_and_the_run_fails(source: str, error: type[Exception]) -> None:
    assert_function_allowed(source)
    with pytest.raises(error) as caught:
        loot_of(dedent(source))
    assert type(caught.value) is error


@pytest.mark.parametrize(("source", "error"), UNSEEN)
def test_control_under_the_whole_of_python(source: str, error: type[Exception]) -> None:
    assert is_function_prize(loot_of(dedent(source), dict(vars(builtins))))


HARMLESS = [
    pytest.param("hasattr([], '__len__'), hasattr(1, '__iter__')", (True, False), id="hasattr"),
    pytest.param("type(1) is int, type('').__name__, type(None)", (True, "str", type(None)), id="type"),
    pytest.param("isinstance(int, type), issubclass(int, type)", (True, False),
                 id="instances of type"),
    pytest.param("isinstance(1, type | int), isinstance(1, (str, type))", (True, False), id="type in unions"),
    pytest.param("getattr(1, 'real'), getattr(1, 'x', 2)", (1, 2), id="getattr"),
    pytest.param("'{:>{}} {a.real} {b[x]}'.format(1, 3, a=2, b={'x': 3})", "  1 2 3", id="template"),
    pytest.param("'{0[a.b]}'.format({'a.b': 1})", "1", id="template with a key"),
    pytest.param("(lambda f: f.__name__)(len)", "len", id="name of a function"),
    pytest.param("[].__class__.__name__", "list", id="name of a class"),
    pytest.param("().__len__(), (1).__add__(2)", (0, 3), id="special methods called"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "value"), HARMLESS)
def test_harmless(expression: str, value: object) -> None:
    assert_function_allowed(f"loot = {expression}")
    assert loot_of(f"loot = {expression}") == value


def test_what_code_in_c_imports_is_found() -> None:
    """It asks the ``__import__`` of the module that called it."""
    source = """
import datetime, json, time
def f():
    try:
        json.loads("{")
    except json.JSONDecodeError as e:
        found = e.pos
    return found, datetime.datetime.strptime("2024", "%Y").year, time.strptime("2024", "%Y").tm_year
"""
    assert_function_allowed(source)
    with loaded(source) as namespace:
        assert evaluate("f()", namespace) == (1, 2024, 2024)


def test_modules_are_fresh_for_each_load() -> None:
    with loaded("import math\nfor m in [math]: m.pi = 3") as first, loaded("import math") as second:
        assert (evaluate("math.pi", first), evaluate("math.pi > 3", second)) == (3, True)


@pytest.mark.parametrize("name", ["os", "os.path", "sandbox_runtime", "collections.os", "_strptime", ""])
def test_the_import_of_the_run_has_the_same_table(name: str) -> None:
    with loaded("") as namespace, pytest.raises(ImportError, match="refuses the import of"):
        evaluate(f"__builtins__['__import__']({name!r})", namespace)
