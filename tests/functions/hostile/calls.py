# ruff: noqa: E501 - a module of one line stays one line
"""Functions f that are served, and what calling each comes to, exactly."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

_HOSTILE: Final = "    def __iter__(self): raise GeneratorExit\n    __len__ = __eq__ = __hash__ = __bool__ = __repr__ = __str__ = __getitem__ = __contains__ = __iter__\n"
_LARGE: Final = 10**4000


class Called(NamedTuple):
    """``said``: the value, or status, code and the exception's type."""

    name: str
    text: str
    said: Any


def _of(base: str, value: str) -> str:
    return f"class A({base}):\n{_HOSTILE}def f(): return A({value})"


def _failed(exception: str) -> tuple[int, str, str]:
    return 500, "function_error", exception


_NOT_JSON: Final = _failed("ResultError")
RESULTS: Final = (
    Called("object", _of("", ""), _NOT_JSON),
    Called("dict", _of("dict", "a=1") + "\nA.items = A.keys = A.values = A.__iter__", {"a": 1}),
    Called("list", _of("list", "[1]"), [1]),
    Called("tuple", _of("tuple", "[1]"), [1]),
    Called("set", _of("set", "{1}"), [1]),
    Called("text", _of("str", "'x'"), "x"),
    Called("number", _of("int", "7"), 7),
    Called(
        "numbers-that-write-themselves",
        "class A(int):\n    def __repr__(self): return '1}, {\"a\": 2'\n    __str__ = __repr__\n    def __int__(self): return 99\n    __index__ = __int__\ndef f(): return [A(1), {A(2): A(3)}]",
        [1, {"2": 3}],
    ),
    Called(
        "fractions-that-write-themselves",
        "class A(float):\n    def __repr__(self): return '1}, {\"a\": 2'\n    __str__ = __float__ = __repr__\ndef f(): return A(1.5)",
        1.5,
    ),
    Called(
        "decimals-that-write-themselves",
        "import decimal\nclass A(decimal.Decimal):\n    def __str__(self): return '\\r\\n\"}'\ndef f(): return A(1)",
        '\r\n"}',
    ),
    Called(
        "text-of-no-text",
        "import uuid\nclass A(uuid.UUID):\n    def __str__(self): return 5\ndef f(): return A(int=1)",
        _failed("TypeError"),
    ),
    Called(
        "enumeration",
        "import enum\nclass A(enum.Enum):\n    a = 1\n    @property\n    def value(self): raise GeneratorExit\ndef f(): return A.a",
        _failed("GeneratorExit"),
    ),
    Called(
        "its-own-value",
        "import enum\nclass A(enum.Enum):\n    a = 1\n    @property\n    def value(self): return self\ndef f(): return A.a",
        _NOT_JSON,
    ),
    Called(
        "its-own-key",
        "import enum\nclass A(enum.Enum):\n    a = 1\n    @property\n    def value(self): return self\ndef f(): return {A.a: 1}",
        _failed("RecursionError"),
    ),
    Called(
        "half-a-dataclass",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\ndef f():\n    a = A(1)\n    del a.x\n    return a",
        _failed("AttributeError"),
    ),
    Called(
        "list-that-grows",
        "def f():\n    x = []\n    def g():\n        x.append(2)\n        yield 1\n    x.append(g())\n    return x",
        [[1], 2],
    ),
    Called(
        "dict-that-grows",
        "def f():\n    x = {}\n    def g():\n        x['b'] = 1\n        yield 1\n    x['a'] = g()\n    return x",
        _failed("RuntimeError"),
    ),
    Called(
        "dict-that-shrinks",
        "def f():\n    x = {}\n    def g():\n        x.clear()\n        yield 1\n    x.update(a=g(), b=2)\n    return x",
        _failed("RuntimeError"),
    ),
    Called(
        "set-that-grows",
        "def f():\n    x = set()\n    def g():\n        x.update('abc')\n        yield 1\n    x.add(g())\n    return x",
        _failed("RuntimeError"),
    ),
    Called("endless", "def f():\n    while True: yield 1", _NOT_JSON),
    Called("endless-and-asynchronous", "async def f():\n    while True: yield 1", _NOT_JSON),
    Called("endless-in-itself", "def f():\n    while True: yield f()", _NOT_JSON),
    Called("itself", "def f():\n    x = {}\n    x['x'] = x\n    return x", _NOT_JSON),
    Called("deep", "def f():\n    x = []\n    for _ in range(100_000): x = [x]\n    return x", _NOT_JSON),
    Called("long", "def f(): return 'x' * (2 << 20)", _NOT_JSON),
    Called("long-when-it-is-written", "def f(): return '\\0' * (400 << 10)", _NOT_JSON),
    Called("range", "def f(): return range(10 ** 12)", _failed("MemoryError")),
    Called("large", "def f(): return 10 ** 4000", _LARGE),
    Called("larger", "def f(): return 10 ** 100_000", _NOT_JSON),
    Called("no-number", "def f(): return [float('nan')]", _NOT_JSON),
    Called("half-a-character", "def f(): return '\\ud800'", _NOT_JSON),
    Called("merging-keys", "def f(): return {1: 'a', '1': 'b'}", _NOT_JSON),
    Called("function", "def f(): return f", _NOT_JSON),
    Called("module", "import math\ndef f(): return math", _NOT_JSON),
    Called(
        "released-memory",
        "def f():\n    m = memoryview(bytearray(8))\n    m.release()\n    return m",
        _failed("ValueError"),
    ),
    Called(
        "answer",
        "def f(): return 'a\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\n\\r\\n'",
        "a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ),
)
RAISED: Final = (
    Called("not-found", "class NotFound(Exception): pass\ndef f(): raise NotFound", _failed("NotFound")),
    Called(
        "callers-error",
        "class ValidationFailed(Exception): pass\ndef f(): raise ValidationFailed",
        _failed("ValidationFailed"),
    ),
    Called(
        "wrong-arguments",
        "class WrongArguments(Exception): found = [1]\ndef f(): raise WrongArguments",
        _failed("WrongArguments"),
    ),
    Called("refused", "class Refused(Exception): refusal = None\ndef f(): raise Refused", _failed("Refused")),
    Called("lost", "class WorkerLost(Exception): pass\ndef f(): raise WorkerLost", _failed("WorkerLost")),
    Called("late", "def f(): raise TimeoutError", _failed("TimeoutError")),
    Called(
        "cancelled", "import asyncio\nasync def f(): raise asyncio.CancelledError", _failed("CancelledError")
    ),
    Called("base", "class E(BaseException): pass\ndef f(): raise E", _failed("E")),
    Called("stop", "def f(): raise StopIteration(5)", _failed("StopIteration")),
    Called("no-memory", "def f(): raise MemoryError", _failed("MemoryError")),
    Called(
        "group",
        "def f(): raise BaseExceptionGroup('g', [GeneratorExit() for _ in range(10_000)])",
        _failed("BaseExceptionGroup"),
    ),
    Called(
        "chain",
        "def f():\n    e = None\n    for _ in range(50_000):\n        try: raise ValueError from e\n        except ValueError as n: e = n\n    raise e",
        _failed("ValueError"),
    ),
    Called(
        "str-raises-itself",
        "class E(Exception):\n    def __str__(self): raise self\ndef f(): raise E",
        _failed("E"),
    ),
    Called(
        "str-lies",
        "class S(str):\n    def __len__(self): return 0\n    def encode(self, *a): return 5\nclass E(Exception):\n    def __str__(self): return S('x' * 10 ** 6)\ndef f(): raise E",
        _failed("E"),
    ),
    Called("hostile-argument", f"class A:\n{_HOSTILE}def f(): raise ValueError(A())", _failed("ValueError")),
    Called(
        "head-of-an-answer", "def f(): raise ValueError('\\r\\nX-Evil: 1\\r\\n\\r\\n')", _failed("ValueError")
    ),
)
REACHING: Final = (
    Called(
        "frame", "def g(): yield\ndef f(): return str(getattr(g(), 'gi_' + 'frame'))", _failed("TypeError")
    ),
    Called("globals", "def f(): return str(getattr(f, '__glo' + 'bals__'))", _failed("TypeError")),
    Called(
        "module-behind-a-module",
        "import uuid\ndef f():\n    for m in [uuid]: return str(m.os)",
        _failed("AttributeError"),
    ),
    Called(
        "builtin",
        "def g(open): pass\ndef f():\n    for open in []: pass\n    return open",
        _failed("UnboundLocalError"),
    ),
    Called("builtin-of-the-module", "for eval in []: pass\ndef f(): return eval('1')", _failed("NameError")),
    Called("class", "def f(): return str([type][0]('X', (), {}))", _failed("TypeError")),
    Called("wide-format", "def f(): return '{0:>{1}}'.format('x', 10 ** 9)", _failed("MemoryError")),
    Called("deep-json", "import json\ndef f(): return json.loads('[' * 10 ** 6)", _failed("RecursionError")),
    Called(
        "deep-pattern",
        "import re\ndef f(): return re.compile('(' * 50_000 + ')' * 50_000)",
        _failed("RecursionError"),
    ),
    Called("recursion", "def f(): return f()", _failed("RecursionError")),
    Called("memory", "def f(): return len(bytearray(1 << 40))", _failed("MemoryError")),
    Called("output", "def f():\n    for _ in range(100): print('x' * 10 ** 6)\n    return 1", 1),
    Called("own-builtins", "len = list = dict = int = isinstance = None\ndef f(): return [1]", [1]),
)
ENDLESS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    (
        "loop",
        "def f():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        {},
    ),
    ("sleep", "import time\ndef f(): time.sleep(99)", {}),
    ("wait", "import asyncio\nasync def f(): await asyncio.sleep(99)", {}),
    (
        "task-that-stays",
        "import asyncio\nasync def g():\n    while True:\n        try: await asyncio.sleep(0)\n        except BaseException: pass\nasync def f():\n    asyncio.create_task(g())\n    return 1",
        {},
    ),
    (
        "generator-that-stays",
        "def f():\n    def g():\n        try:\n            while True: yield 1\n        finally:\n            while True: pass\n    return g()",
        {},
    ),
    ("pattern", "import re\ndef f(): return re.match('(a*)*b', 'a' * 60)", {}),
    (
        "str-of-the-result",
        "import uuid\nclass A(uuid.UUID):\n    def __str__(self):\n        while True: pass\ndef f(): return A(int=1)",
        {},
    ),
    (
        "str-of-the-error",
        "class E(Exception):\n    def __str__(self):\n        while True: pass\ndef f(): raise E",
        {},
    ),
    (
        "argument",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n    def __post_init__(self):\n        while True: pass\ndef f(x: A): return 1",
        {"x": {"x": 1}},
    ),
)
"""What never ends by itself: 504 function_timeout. The last are its arguments."""
