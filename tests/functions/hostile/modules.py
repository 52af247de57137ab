# ruff: noqa: E501 - a module of one line stays one line
"""Hostile modules, and what bringing each comes to: status and code, the rule or the exception, the line.

What an escape says is in the corpus of the policy; here is what an import does while it is looked at, and
what the bytes, the signature or the name of a module may be.
"""

from __future__ import annotations

from typing import Final, NamedTuple

Refusal = tuple[object, ...]
SERVED: Final = (200,)
_HAS_NONE: Final = (404, "not_found", None, None)
_E: Final = "class E(Exception):\n"
_LARGEST: Final = 512 * 1024
_LAST: Final = "\ndef f(): return 1"


class Brought(NamedTuple):
    """``text`` as the module that should have a function f; ``found``: what loading that is answered."""

    name: str
    text: str | bytes
    found: Refusal = SERVED


def _refused(rule: str, line: int) -> Refusal:
    return 403, "policy_refused", rule, line


def _failed(exception: str, line: int | None = None) -> Refusal:
    return 422, "module_failed", exception, line


IMPORTS: Final = (
    Brought("memory", "x = [0] * 10 ** 10", _failed("MemoryError", 1)),
    Brought("memory-by-and-by", "x = []\nwhile True: x.append(bytes(1 << 20))", _failed("MemoryError", 2)),
    Brought(
        "inflated",
        "import zlib\nx = zlib.decompress(zlib.compress(bytes(10 ** 7))) * 100",
        _failed("MemoryError", 2),
    ),
    Brought("recursion", "def g(): return g()\ng()", _failed("RecursionError", 1)),
    Brought(
        "recursive-hash",
        "class A:\n    def __hash__(self): return hash(self)\nx = {A()}",
        _failed("RecursionError", 2),
    ),
    Brought("nested-parentheses", "x = " + "(" * 5000 + ")" * 5000, _failed("SyntaxError", 1)),
    Brought(
        "nested-blocks",
        "".join(" " * n + "if 1:\n" for n in range(120)) + " " * 120 + "pass",
        _failed("IndentationError", 101),
    ),
    Brought("giant-number", "x = " + "9" * 5000, _failed("SyntaxError", 1)),
    Brought("giant-literal", f"x = 0x{'f' * 400_000}\ny = '{'z' * 100_000}'\ndef f(): return 1"),
    Brought("output", "for _ in range(100): print('x' * 10 ** 6)\ndef f(): return 1"),
    Brought("exit", "raise SystemExit", _refused("name", 1)),
    Brought("exit-by-os", "x = 1\nimport os; os._exit(0)", _refused("import", 2)),
    Brought("signals", "from signal import raise_signal", _refused("import", 1)),
    Brought(
        "threads", "import asyncio\nasync def f(): await asyncio.to_thread(print)", _refused("import", 2)
    ),
    Brought("descriptors", "from os import closerange\ncloserange(0, 1024)", _refused("import", 1)),
    Brought("frames-to-the-service", "import posix\nposix.write(3, b'')", _refused("import", 1)),
    Brought("modules-of-others", "import sys\nsys.modules.clear()", _refused("import", 1)),
    Brought("itself", "import agent", _refused("import", 1)),
    Brought("getattr-of-the-module", "def __getattr__(name): return lambda: 1", _refused("underscore", 1)),
    Brought("dir-of-the-module", "def __dir__(): return ['f']", _refused("underscore", 1)),
    Brought("file-of-the-module", "def g(): pass\n__file__ = 'x.py'", _refused("underscore", 2)),
    Brought("base-exception", "class E(BaseException): pass\nraise E", _failed("E", 2)),
    Brought("generator-exit", "raise GeneratorExit", _failed("GeneratorExit", 1)),
    Brought("str-raises", _E + "    def __str__(self): raise GeneratorExit\nraise E", _failed("E", 3)),
    Brought("named-as-ours", "class NotFound(Exception): pass\nraise NotFound", _failed("NotFound", 2)),
    Brought("lost", "class WorkerLost(Exception): pass\nraise WorkerLost", _failed("WorkerLost", 2)),
    Brought("late", "raise TimeoutError", _failed("TimeoutError", 1)),
    Brought(
        "head-of-an-answer", "raise ValueError('\\r\\nSet-Cookie: a=b\\r\\n\\r\\n')", _failed("ValueError", 1)
    ),
    Brought("half-a-character", "raise ValueError('\\ud800')", _failed("ValueError", 1)),
)
SIGNATURES: Final = (
    Brought("decorated-to-nothing", "def d(g): pass\n@d\ndef f(): return 1", _HAS_NONE),
    Brought("decorated-to-a-builtin", "def d(g): return len\n@d\ndef f(): return 1", _HAS_NONE),
    Brought("decorated-to-an-object", "class f:\n    def __init__(self, g): pass\n    def __call__(self): return 1\n@f\ndef f(): return 1", _HAS_NONE),
    Brought("wrapped-in-itself", "import functools\ndef f(): return 1\nf = functools.wraps(f)(f)", _HAS_NONE),
    Brought("many-decorators", "def d(g): return g\n" + "@d\n" * 1000 + "def f(): return 1"),
    Brought("class", "class f: pass", _HAS_NONE),
    Brought("named-and-not-there", "__all__ = ['f']", _HAS_NONE),
    Brought("parameters", f"def f({','.join(f'a{n}=0' for n in range(300))}): return 1", _failed("SignatureError", 1)),
    Brought("default-bomb", "def f(x=[0] * 10 ** 10): return 1", _failed("MemoryError", 1)),
    Brought("default-that-holds-itself", "x = []\nx.append(x)\ndef f(y=x): return 1"),
    Brought("default-of-a-hostile-class", "class A(dict):\n    def __iter__(self): raise GeneratorExit\n    __eq__ = __hash__ = __bool__ = __repr__ = __len__ = __iter__\ndef f(x=A(a=1)): return 1"),
    Brought("annotation-that-fails", "def f(x: 1 / 0): return 1", _failed("ZeroDivisionError", 1)),
    Brought("annotation-that-runs", "n = []\ndef f(*x: n.append(1) or int): return len(n)"),
    Brought("text-that-opens", "def f(x: 'open(\"/etc/passwd\").read()'): return 1", _failed("SignatureError", 1)),
    Brought("text-that-calls", "def g(): return 1 / 0\ndef f(x: 'g()'): return 1", _failed("SignatureError", 2)),
    Brought("text-that-computes", "def f(x: '9 ** 9 ** 9 ** 9'): return 1", _failed("SignatureError", 1)),
    Brought("text-that-reaches", "def f(x: 'int.__subclasses__'): return 1", _failed("SignatureError", 1)),
    Brought("text-that-nests", f"def f(x: '{'list[' * 300}int{']' * 300}'): return 1", _failed("SignatureError", 1)),
)  # fmt: skip
BYTES: Final = (
    Brought("nothing", "", _HAS_NONE),
    Brought("mark", b"\xef\xbb\xbfdef f(): return 1"),
    Brought("mark-inside", "def f(): return 1\n\ufeffx = 1", _failed("SyntaxError", 2)),
    Brought("two-bytes-each", "def f(): return 1".encode("utf-16"), (422, "validation_failed", None, None)),
    Brought("not-utf-8", b"def f(): return 1\n\xff", (422, "validation_failed", None, None)),
    Brought("half-a-pair", b"x = '\xed\xa0\x80'\ndef f(): return 1", (422, "validation_failed", None, None)),
    Brought("nul", b"def f(): return 1\n\0import os", (422, "validation_failed", None, None)),
    Brought("utf-7-is-not-read", "# coding: utf-7\n+AGkAbQBwAG8AcgB0ACAAbwBz-", _failed("SyntaxError", 2)),
    Brought("latin-1-is-not-read", "# coding: latin-1\ndef f(): return len('\u00e9')"),
    Brought("rot13-is-not-read", "# coding: rot13\ndef f(): return 1"),
    Brought("no-coding-at-all", "# coding: no-such\ndef f(): return 1"),
    Brought("form-feed", "x = 1\x0c\n\x0cimport os", _refused("import", 2)),
    Brought("vertical-tab", "x = 1\x0bimport os", _failed("SyntaxError", 1)),
    Brought("carriage-return", "# a\rimport os", _refused("import", 2)),
    Brought("line-separators", "# a\u2028import os\u0085import os\ndef f(): return 1"),
    Brought("direction", "def f(): return 1  # \u202e 1 nruter"),
    Brought("continued", "import \\\n os", _refused("import", 2)),
    Brought("wide", "def f(): return \uff45\uff56al('1')", _refused("name", 1)),
    Brought("substitute", "def f(): return 1\n\x1a", _failed("SyntaxError", 2)),
    Brought("unterminated", "x = '''", _failed("SyntaxError", 1)),
    Brought("largest", "#" * (_LARGEST - len(_LAST)) + _LAST),
)  # fmt: skip
ENDLESS: Final = (
    ("loop", "while True: pass"),
    ("pattern", "import re\nx = re.match('(a*)*b', 'a' * 60)"),
    ("str", _E + "    def __str__(self):\n        while True: pass\nraise E"),
    (
        "finalizer",
        "def g():\n    try: yield\n    finally:\n        while True: pass\nx = g()\nnext(x)\ndel x",
    ),
)
"""What never ends by itself; the exception is then TimeoutError, on no line."""

NAMES: Final = tuple(
    "json orjson sandbox_runtime builtins wire sys os math dataclasses typing enum __main__ main site "
    "encodings codecs asyncio collections __future__ agent_ _agent".split()
)
"""What a module may be called; each has a dataclass, an enumeration, and what looks its module up by name."""
