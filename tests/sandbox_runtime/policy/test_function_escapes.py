"""Attempts of a loaded function's module to reach the interpreter around it.

Each attack is a complete module that puts its prize in ``loot``. The judge refuses it where the ``$`` stands;
a control run under the whole of Python shows that the attack works.
"""

from __future__ import annotations

import builtins

import pytest

from tests.sandbox_runtime.policy.function_cases import FUNCTION, is_function_prize, loot_of
from tests.sandbox_runtime.policy.policy_cases import assert_refused, since_3_12, unmark, wide

GENERATOR = "def g():\n    yield\nit = g()\n"
FAILED = "try:\n    1 / 0\nexcept ArithmeticError as e:\n    error = e\n"

ATTACKS = [
    pytest.param(
        "from typing import Type\n_inst = 1\nT = Type['A']\nT.$_inst = True\nloot = type(T('X', (), {}))",
        "attribute-write",
        id="alias of type that is called",
    ),
    # What is imported.
    pytest.param("import $os\nloot = os", "import", id="import"),
    pytest.param("import $os.path as p\nloot = p", "import", id="submodule"),
    pytest.param("import math, $sys\nloot = sys", "import", id="second of two"),
    pytest.param("import $subprocess as math\nloot = math", "import", id="under a harmless name"),
    pytest.param("$from os import path as loot", "import", id="from"),
    pytest.param(
        "def f():\n    import $importlib\n    return importlib\nloot = f()", "import", id="in a function"
    ),
    pytest.param("try:\n    import $socket\nexcept Exception: pass\nloot = socket", "import", id="in a try"),
    pytest.param("import $builtins\nloot = builtins.open", "import", id="builtins"),
    pytest.param("import $inspect\nloot = inspect.currentframe()", "import", id="inspect"),
    pytest.param("import $gc\nloot = gc", "import", id="gc"),
    pytest.param("import $ctypes\nloot = ctypes", "import", id="ctypes"),
    pytest.param("import $pickle\nloot = pickle", "import", id="pickle"),
    pytest.param("import $threading\nloot = threading", "import", id="threading"),
    pytest.param("import $types\nloot = types", "import", id="types"),
    pytest.param(f"import ${wide('o')}s\nloot = os", "import", id="not normalised"),
    pytest.param("from math import $*\nimport sys as loot", "import", id="star"),
    pytest.param("import random\nloot = random.$_os", "underscore", id="module behind a module"),
    pytest.param("import uuid\nloot = uuid.$os", "import", id="module behind a module, public"),
    pytest.param("import uuid as u\nloot = u.$sys", "import", id="behind an alias"),
    pytest.param("from uuid import $os as loot", "import", id="taken from a module"),
    pytest.param("import json\nloot = json.$codecs", "import", id="codecs behind json"),
    pytest.param("import html.parser\nloot = html.parser.$re", "import", id="behind a submodule"),
    pytest.param("import collections.abc\nloot = collections.$_sys", "underscore", id="behind a parent"),
    # builtins
    pytest.param("loot = $open", "name", id="open"),
    pytest.param("loot = ${}".format(wide("e") + "val"), "name", id="eval not normalised"),
    pytest.param("f = $eval\nloot = f('open')", "name", id="eval by another name"),
    pytest.param("loot = [*map($eval, ['open'])][0]", "name", id="eval mapped"),
    pytest.param("$exec('loot = open')", "name", id="exec"),
    pytest.param("loot = $compile('1', 'x', 'eval')", "name", id="compile"),
    pytest.param("loot = $__import__('os')", "underscore", id="import function"),
    pytest.param("loot = $__builtins__['open']", "underscore", id="builtins by name"),
    pytest.param("$global __builtins__\nloot = __builtins__", "underscore", id="builtins, declared global"),
    pytest.param("loot = $globals()", "name", id="globals"),
    pytest.param("loot = $locals()", "name", id="locals"),
    pytest.param("def f(): pass\nloot = $vars(type(f))", "name", id="vars"),
    pytest.param("def f(x=$open): return x\nloot = f()", "name", id="default of a parameter"),
    pytest.param("loot = (lambda x=$open: x)()", "name", id="default of a lambda"),
    pytest.param("def f(x: (loot := $open)): pass", "name", id="annotation that runs code"),
    pytest.param("@(lambda f: $open)\ndef loot(): pass", "name", id="decorator"),
    pytest.param("[(loot := x) for x in [$open]]", "name", id="walrus"),
    pytest.param("loot = f'{(x := $open)}' and x", "name", id="f-string"),
    pytest.param("class loot(str):\n    x = $open\nloot = loot.x", "name", id="class body"),
    # type and metaclasses
    pytest.param("loot = type\nclass A($type): pass", "part", id="class derived from type"),
    pytest.param(
        "made = $type('X', (), {'__getattr__': 1})\nloot = type(made)", "function", id="class by type"
    ),
    pytest.param("a = (int,)\nloot = $type(*a) and type", "function", id="type with a star"),
    pytest.param("class A($metaclass=lambda *a: open): pass\nloot = A", "part", id="metaclass"),
    pytest.param("k = {'metaclass': lambda *a: type}\nclass A($**k): pass\nloot = A", "part", id="in a star"),
    pytest.param("from abc import $ABCMeta\nloot = type(ABCMeta)", "import", id="ABCMeta"),
    pytest.param("loot = int.$__class__", "underscore", id="class of a class"),
    pytest.param("loot = ().$__class__.__class__", "underscore", id="class of a value"),
    pytest.param(
        "def isinstance(a, b): return b\nloot = isinstance(1, int.$__class__)", "underscore", id="spoof"
    ),
    pytest.param(
        "class A:\n    def __eq__(self, o): return o\nloot = A() == int.$__class__", "underscore", id="eq"
    ),
    pytest.param("loot = int.$mro()[1].__class__", "attribute", id="mro"),
    pytest.param("loot = int.$__base__.__class__", "underscore", id="base"),
    pytest.param("loot = int.$__mro__[1].__class__", "underscore", id="mro tuple"),
    pytest.param("loot = object.$__subclasses__()[0].__class__", "underscore", id="subclasses"),
    pytest.param("loot = int.$__dict__", "underscore", id="dictionary of a class"),
    pytest.param("loot = object.$__getattribute__(int, '__dict__')", "underscore", id="getattribute"),
    pytest.param(
        "import typing\nloot = typing.$get_origin(typing.Type[int])", "import", id="origin of an alias"
    ),
    pytest.param("import typing\nloot = typing.Type[int].$__origin__", "underscore", id="origin attribute"),
    # frames and functions
    pytest.param(GENERATOR + "loot = it.$gi_frame", "attribute", id="generator"),
    pytest.param(GENERATOR + "loot = it.$gi_code", "attribute", id="code of a generator"),
    pytest.param(f"{GENERATOR}loot = it.${wide('gi')}_frame", "attribute", id="generator, not normalised"),
    pytest.param("async def f(): pass\nc = f()\nloot = c.$cr_frame\nc.close()", "attribute", id="coroutine"),
    pytest.param("async def f(): yield\nloot = f().$ag_frame", "attribute", id="async generator"),
    pytest.param("loot = (x for x in '').$gi_frame", "attribute", id="generator expression"),
    pytest.param(FAILED + "loot = error.$__traceback__", "underscore", id="traceback"),
    pytest.param(
        """
        class C:
            def __enter__(self): pass
            def __exit__(self, kind, error, tb):
                self.frame = tb.$tb_frame
                return True
        c = C()
        with c: 1 / 0
        loot = c.frame
        """,
        "attribute",
        id="traceback of a with statement",
    ),
    pytest.param("def f(): pass\nloot = f.$__globals__", "underscore", id="globals of a function"),
    pytest.param("def f(): pass\nloot = f.$__code__", "underscore", id="code of a function"),
    pytest.param("def f(): pass\nloot = f.$__builtins__", "underscore", id="builtins of a function"),
    pytest.param("loot = print.$__self__", "underscore", id="module of a builtin"),
    pytest.param(
        "import functools\n@functools.cache\ndef f(): pass\nloot = f.$__wrapped__.__globals__",
        "underscore",
        id="wrapped",
    ),
    pytest.param(
        "class C:\n    def f(self): pass\nloot = C().f.$__func__.__code__",
        "underscore",
        id="function of a method",
    ),
    # patterns
    pytest.param(
        GENERATOR
        + "from collections.abc import Generator\nmatch it:\n    case $Generator(gi_frame=loot): pass",
        "attribute",
        id="class pattern",
    ),
    pytest.param(
        FAILED + "match error:\n    case $Exception(__traceback__=loot): pass", "underscore", id="pattern"
    ),
    pytest.param(
        "from abc import ABC\n" + GENERATOR + "class A(ABC):\n    $__match_args__ = ('gi_frame',)\n"
        "A.register(type(it))\nmatch it:\n    case A(loot): pass",
        "underscore",
        id="names of a positional pattern",
    ),
    pytest.param(
        "from abc import ABC\nfrom collections import namedtuple\n"
        + GENERATOR
        + "class A(namedtuple('N', 'gi_frame'), ABC): pass\nA.$register(type(it))\n"
        "match it:\n    case A(loot): pass",
        "attribute",
        id="positional pattern of a namedtuple",
    ),
    # names of attributes that are texts
    pytest.param(GENERATOR + "loot = getattr(it, $'gi_frame')", "attribute", id="getattr"),
    pytest.param("loot = getattr(int, $'__class__')", "attribute", id="getattr of a special name"),
    pytest.param(
        "import operator\nclass X:\n    def f(self): pass\nloot = operator.attrgetter($'f.__globals__')(X)",
        "attribute",
        id="attrgetter",
    ),
    pytest.param(
        "from operator import methodcaller as m\nloot = m($'mro')(int)[1].__class__",
        "attribute",
        id="methodcaller",
    ),
    pytest.param("loot = '{0.__globals__}'.$format(lambda: 0)", "attribute", id="template"),
    pytest.param(
        GENERATOR + "loot = '{0:{1}}{0.gi_frame}'.$format(it, '')", "attribute", id="template, later"
    ),
    pytest.param("T = '{0.__globals__}'\nloot = T.$format(lambda: 0)", "attribute", id="template in a name"),
    pytest.param(
        "T = '{}'\nT += '{0.__globals__}'\nloot = T[2:].$format(lambda: 0)", "attribute", id="computed"
    ),
    pytest.param(
        "T = ''\nfor T in ['{0.__globals__}']: loot = T.$format(lambda: 0)", "attribute", id="rebound"
    ),
    pytest.param("loot = '{f.__globals__}'.$format_map({'f': lambda: 0})", "attribute", id="format_map"),
    pytest.param("f = str.$format\nloot = f('{0.__globals__}', lambda: 0)", "attribute", id="format kept"),
    pytest.param(
        "import string\nloot = string.$Formatter().format('{0.__globals__}', min)"
        " if 0 else '{0.__globals__}'.format(lambda: 0)",
        "import",
        id="Formatter",
    ),
    pytest.param("loot = f'{(lambda: 0).$__globals__=}'", "underscore", id="f-string debug"),
    # what runs texts
    pytest.param(
        "import typing\nclass A:\n    x: 'open'\nloot = typing.$get_type_hints(A)['x']", "import", id="hints"
    ),
    pytest.param(
        "from typing import $ForwardRef\nloot = ForwardRef('open')._evaluate({}, {}, frozenset())"
        " if 0 else open",
        "import",
        id="forward reference",
    ),
    pytest.param(
        "import functools\nhit = []\n@functools.$singledispatch\ndef f(x): pass\ntry:\n    @f.register\n"
        "    def _(x: 'hit.append(open) or int'): pass\nexcept Exception: pass\nloot = hit[0]",
        "import",
        id="singledispatch evaluates annotations",
    ),
    pytest.param(
        "from dataclasses import $make_dataclass\nloot = type(make_dataclass('X', []))",
        "import",
        id="make_dataclass",
    ),
    pytest.param(
        "from enum import Enum\nloot = $Enum('E', {'A': open}).A.value", "function", id="Enum called"
    ),
    # special methods
    pytest.param(
        "class A:\n    $def __getattr__(self, n): return open\nloot = A().x", "underscore", id="getattr hook"
    ),
    pytest.param(
        "class A:\n    $def __reduce_ex__(self, v): return eval, ('open',)\n"
        "import copy\nloot = copy.copy(A())",
        "underscore",
        id="copy by reduce",
    ),
    pytest.param(
        "class A:\n    $def __init_subclass__(cls): cls.x = open\nclass B(A): pass\nloot = B.x",
        "underscore",
        id="init_subclass",
    ),
    pytest.param(
        "class A:\n    $def __get__(self, *a): return open\nclass B: x = A()\nloot = B.x",
        "underscore",
        id="descriptor",
    ),
    pytest.param("class A:\n    $def __new__(cls): return open\nloot = A()", "underscore", id="new"),
    pytest.param(
        "def f(): pass\nf.$__code__ = (lambda: open).__code__\nloot = f()", "underscore", id="code replaced"
    ),
    pytest.param(
        "import html\nkept = html.escape\nhtml.$escape = open\nloot = html.escape\nhtml.escape = kept",
        "attribute-write",
        id="module written",
    ),
    pytest.param("type X = $open\nloot = X.__value__", "name", id="type alias", marks=since_3_12),
]


@pytest.mark.parametrize(("marked", "rule"), ATTACKS)
def test_judge_refuses(marked: str, rule: str) -> None:
    assert_refused(marked, rule, FUNCTION)


@pytest.mark.parametrize(("marked", "rule"), ATTACKS)
def test_control_without_any_fence(marked: str, rule: str) -> None:
    assert is_function_prize(loot_of(unmark(marked)[0], dict(vars(builtins))))


def test_there_are_enough_of_them() -> None:
    assert len(ATTACKS) >= 80
