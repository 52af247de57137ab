"""What ``function`` says of single constructs: the ordinary ones pass, and a refusal tells why and where."""

from __future__ import annotations

import pytest

from tests.sandbox_runtime.policy.function_cases import FUNCTION, assert_function_allowed
from tests.sandbox_runtime.policy.policy_cases import assert_refused, since_3_12, since_3_14


@pytest.mark.parametrize(
    "source",
    [
        "from __future__ import annotations\n__all__ = ['f']\n__version__ = '1.0'\ndef f(): pass",
        "if __name__ == '__main__': print(__name__, __doc__)",
        "class A:\n    __slots__ = ('_x', '__y')\n    def __init__(self): self._x = self.__y = 1",
        "class A:\n    def f(self): return self._x\n    _x: int = 1",
        "class A(B):\n    def __init__(self): super().__init__(); B.__init__(self)",
        "class A:\n    def __repr__(self): return self.__class__.__name__ + type(self).__qualname__",
        "class A:\n    def __eq__(self, o): return self.__class__ == o.__class__ and o.__class__ is not A",
        "class A:\n    def __eq__(self, o): return isinstance(o, self.__class__)",
        "class A:\n    def f(self): object.__setattr__(self, '_kept', 1); return self._kept",
        "class A:\n    __hash__ = None\n    __radd__ = __add__ = lambda s, o: s",
        "def f(x: type, y: type[int] | None = None): return type(x) is y",
        "for _ in range(3): __ = _",
        "def f(*_args, **_kwargs): return _args",
        "def f(gi_frame, f_back): co_name = f_back; return co_name",
        "import collections\nx: collections.abc.Mapping = collections.OrderedDict()",
        "import datetime\ndatetime.datetime.now().date().format_ = 1",
        "from collections import abc\nabc.Mapping",
        "math = {}\nmath.os",
        "T = 'a {}'\ndef f(x): return T.format(x) + 'b {}'.format(x)",
        "class C:\n    def format(self): pass",
        "try: f()\nexcept BaseException as e: raise ValueError(e.__cause__) from e",
        "x = getattr(a, name)(1)\ny = getattr(a, 'b.c', None)",
        "Color(1); Flag(1)",
        "async def f():\n    async with a as b, c: return [x async for x in y]",
        "match p:\n    case Point(x=0, _y=1) | {'__class__': _}: pass",
        "def f(a, /, b, *, c): return f(a, b, c=c)",
        "x @ y; x @= y; del x[0], y.z",
        pytest.param("type X[T: int, *Ts, **P] = list[T]\ndef f[T](x: T) -> T: return x", marks=since_3_12),
    ],
)
def test_admitted(source: str) -> None:
    assert_function_allowed(source)


@pytest.mark.parametrize(
    ("marked", "rule", "said"),
    [
        ("import $os", "import", "operating system"),
        ("import $requests", "import", "no network"),
        ("import $subprocess", "import", "starts no processes"),
        ("import $urllib.request", "import", "no network"),
        ("$from http.client import HTTPConnection", "import", "no network"),
        ("import $pathlib", "import", "no files"),
        ("import $io", "import", "no files"),
        ("import $logging", "import", "return what is to be known"),
        ("import $numpy as np", "import", "standard library"),
        ("import $unheard_of", "import", "not in the table of imports"),
        ("$from . import sibling", "import", "'.'"),
        ("from typing import List, $get_type_hints", "import", "evaluates annotations"),
        ("import math\nmath.$squareroot(2)", "import", "'math.squareroot'"),
        ("$open('x')", "name", "no files"),
        ("$input()", "name", "no terminal"),
        ("$exit()", "name", "no process to end"),
        ("raise $SystemExit", "name", "no process to end"),
        ("x.$_hidden", "underscore", "this module never assigns it"),
        ("x.$__dict__", "underscore", "namespace"),
        ("class A:\n    $def __del__(self): pass", "underscore", "shows no call"),
        ("class A:\n    $def __getattr__(self, n): pass", "underscore", "made up at run time"),
        ("class A:\n    $def __new__(cls): pass", "underscore", "define __init__"),
        ("class A:\n    $def __strange__(self): pass", "underscore", "not in the table of special names"),
        ("$__name__ = 'x'", "underscore", "table of special names"),
        ("x.$__init__ = 1", "underscore", "table of special names"),
        ("f($__class__=1)", "underscore", "class of an object"),
        ("def f(x, $__y__): pass", "underscore", "special"),
        ("object.$__setattr__(self, name, 1)", "underscore", "made up at run time"),
        ("object.$__setattr__(self, '__class__', 1)", "underscore", "made up at run time"),
        ("object.$__setattr__(*a)", "underscore", "made up at run time"),
        ("x = y.$__class__", "underscore", "use type(value)"),
        ("x.$__class__ == y", "underscore", "use type(value)"),
        ("x.$__class__()", "underscore", "use type(value)"),
        ("template.$format(1)", "attribute", "template"),
        ("'{.real.__class__}'.$format(1)", "attribute", "class of an object"),
        ("'{:{0._x}}'.$format(1)", "attribute", "'_x'"),
        ("task.$get_loop()", "attribute", "event loop"),
        ("self.$_loop = 1", "attribute-write", "'_loop'"),
        ("_loop = 1\nself.$_loop", "attribute", "event loop"),
        ("class P(Protocol):\n    $_is_runtime_protocol = True", "binding", "isinstance"),
        ("_create_ = 1\nEnum.$_create_('E', {})", "attribute", "from texts"),
        ("_convert_ = 1\nEnum.$_convert_('E', 'os', all)", "attribute", "other modules"),
        ("T.$_inst = True", "attribute-write", "_inst"),
        ("error.$obj", "attribute", "never have named"),
        ("error.$__context__", "underscore", "__cause__"),
        ("x.$register(y)", "attribute", "call the method add"),
        ("getattr(x, $'__spec__')", "attribute", "table of special names"),
        ("setattr(x, $'__class__', y)", "attribute", "class of an object"),
        ("class A(B, $metaclass=C): pass", "part", "a metaclass"),
        ("$type('A', (), {})", "function", "makes a class"),
        ("import enum\n$enum.Flag('A', 'B C')", "function", "makes a class"),
        pytest.param("x = $t'{y}'", "node", "t-string", marks=since_3_14),
    ],
)
def test_refused(marked: str, rule: str, said: str) -> None:
    assert said in assert_refused(marked, rule, FUNCTION).message


def test_the_first_violation_is_named_whichever_rule_finds_it() -> None:
    assert_refused("import math\nmath.$nothing\nx.gi_frame", "import", FUNCTION)
    assert_refused("x.$gi_frame\nimport math\nmath.nothing", "attribute", FUNCTION)
