# ruff: noqa: E501 - a program of one line stays one line
"""Hostile modules, at import and at call: each ends as is said here, and the contract goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox_runtime.function import NO_FUNCTION
from tests.isolation.contract_worker import ContractRoom, Said, contract_room

# What a call of f() comes to: the type of the fault, "ok", or the error of the service.
CALLS: tuple[tuple[str, str, str], ...] = (
    ("loop", "def f():\n while True: pass", "FunctionTimeout"),
    ("sleep", "import time\ndef f(): time.sleep(99)", "FunctionTimeout"),
    ("async-sleep", "import asyncio\nasync def f(): await asyncio.sleep(99)", "FunctionTimeout"),
    ("regex", "import re\ndef f(): re.match('(a*)*b', 'a' * 50)", "FunctionTimeout"),
    ("power", "def f(): return len(bin(9 ** 9 ** 9))", "FunctionTimeout"),
    ("uncatchable", "def f():\n while True:\n  try:\n   while True: pass\n  except BaseException: pass", "FunctionTimeout"),
    ("generator-that-does-not-close", "def f():\n def g():\n  try:\n   while True: yield 1\n  finally:\n   while True: pass\n return g()", "FunctionTimeout"),
    ("task-that-does-not-cancel", "import asyncio\nasync def g():\n while True:\n  try: await asyncio.sleep(0)\n  except asyncio.CancelledError: pass\nasync def f():\n asyncio.create_task(g())\n await asyncio.sleep(0)", "FunctionTimeout"),
    ("signals-blocked", "import signal\ndef f():\n signal.pthread_sigmask(0, range(1, 64))\n while True: pass", "FunctionTimeout"),
    ("memory", "def f(): return len(bytearray(1 << 40))", "MemoryError"),
    ("memory-by-and-by", "def f():\n x = []\n while True: x.append(bytes(1 << 20))", "MemoryError"),
    ("memory-caught", "def f():\n x = []\n try:\n  while True: x.append(bytes(1 << 20))\n except MemoryError: return len(x) > 10", "ok"),
    ("text-that-doubles", "def f():\n x = 'x'\n while True: x += x", "MemoryError"),
    ("recursion", "def f(): return f()", "RecursionError"),
    ("recursion-in-repr", "class A:\n def __repr__(self): return repr(self)\ndef f(): raise ValueError(A())", "ValueError"),
    ("recursion-raised-limit", "import sys\ndef f():\n sys.setrecursionlimit(50_000)\n def g(n): return g(n + 1)\n return g(0)", "RecursionError"),
    ("deep-result", "def f():\n x = []\n for _ in range(100_000): x = [x]\n return x", "ResultError"),
    ("wide-result", "def f():\n x = 1\n for _ in range(60): x = [x, x]\n return x", "ResultError"),
    ("long-result", "def f(): return 'x' * (50 << 20)", "ResultError"),
    ("endless-generator", "def f():\n while True: yield 1", "ResultError"),
    ("endless-asynchronous-generator", "async def f():\n while True: yield 1", "ResultError"),
    ("generator-of-generators", "def f():\n while True: yield f()", "ResultError"),
    ("hostile-str", "class E(Exception):\n def __str__(self): raise KeyboardInterrupt\ndef f(): raise E", "E"),
    ("endless-str", "class E(Exception):\n def __str__(self):\n  while True: pass\ndef f(): raise E", "FunctionTimeout"),
    ("long-message", "def f(): raise ValueError('x' * (10 << 20))", "ValueError"),
    ("surrogate-message", "def f(): raise ValueError('\\ud800')", "ValueError"),
    ("hostile-traceback", "class E(Exception):\n @property\n def __traceback__(self): raise SystemExit\ndef f(): raise E", "E"),
    ("hostile-metaclass", "class M(type):\n def __getattribute__(c, n): raise KeyboardInterrupt\nclass E(Exception, metaclass=M): ...\ndef f(): raise E", "E"),
    ("hostile-syntax-error", "class E(SyntaxError):\n @property\n def filename(self): raise KeyError\ndef f(): raise E('x')", "E"),
    ("exit", "def f(): raise SystemExit(0)", "SystemExit"),
    ("interrupt", "def f(): raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("generator-exit", "def f(): raise GeneratorExit", "GeneratorExit"),
    ("stop-iteration", "def f():\n yield 1\n raise StopIteration", "RuntimeError"),
    ("group", "def f(): raise BaseExceptionGroup('g', [KeyboardInterrupt(), ValueError()])", "BaseExceptionGroup"),
    ("prints", "def f():\n for _ in range(100): print('x' * 1_000_000)", "ok"),
    ("warnings", "import warnings\ndef f():\n for n in range(1000): warnings.warn(str(n))", "ok"),
    ("own-builtins", "__builtins__['len'] = __builtins__['isinstance'] = None\ndef f(): return len", "ok"),
    ("hostile-result-class", "class L(list):\n def __iter__(self): raise KeyError\n def __len__(self): raise KeyError\ndef f(): return L([1])", "ok"),
    ("hostile-property", "from dataclasses import dataclass\n@dataclass\nclass A:\n x: int\nA.x = property(lambda s: 1 / 0, lambda s, v: None)\ndef f(): return A(1)", "ZeroDivisionError"),
    ("hostile-class-attribute", "class A:\n @property\n def __class__(self): raise KeyboardInterrupt\ndef f(): return A()", "KeyboardInterrupt"),
    ("finalizer", "class A:\n def __del__(self): raise KeyboardInterrupt\ndef f(): return len(str(A())) > 1", "ok"),
    ("exit-by-number", "import os\ndef f(): os._exit(0)", "FunctionFailed"),
    ("own-death", "import os\ndef f(): os.kill(os.getpid(), 9)", "FunctionFailed"),
    ("crash", "import ctypes\ndef f(): ctypes.string_at(0)", "FunctionFailed"),
    ("abort", "import os\ndef f(): os.abort()", "FunctionFailed"),
)  # fmt: skip
# What its import comes to, by the fault that is told when it is inspected.
IMPORTS: tuple[tuple[str, str, str], ...] = (
    ("loop", "while True: pass", "TimeoutError"),
    ("memory", "x = [0] * 10 ** 10", "MemoryError"),
    ("constant-folding", "x = 'x' * 10 ** 10", "MemoryError"),
    ("recursion", "def g(): g()\ng()", "RecursionError"),
    ("nesting", "x = " + "(" * 1000 + ")" * 1000, "SyntaxError"),
    ("exit", "import sys\nsys.exit()", "SystemExit"),
    ("death", "import os\nos.kill(os.getpid(), 9)", "ProcessEnded"),
    ("patched-builtins", "import builtins\nbuiltins.isinstance = builtins.len = None\n1 / 0", "ProcessEnded"),
    ("no-builtins", "import builtins\nvars(builtins).clear()", "ProcessEnded"),
    ("hostile-annotation", "class A:\n def __getattr__(self, n): raise SystemExit\nx = A()\ndef f(a: x): ...", "SignatureError"),
    ("hostile-signature", "def f(): ...\nf.__signature__ = 1", "SignatureError"),
    ("wrapped-in-itself", "def f(): ...\nf.__wrapped__ = f", NO_FUNCTION),
    ("too-many-parameters", "exec('def f(' + ','.join(f'a{n}' for n in range(300)) + '): ...')", NO_FUNCTION),
    ("surrogates", "import enum\nclass A(enum.Enum):\n a = '\\ud800'\ndef f(a: A): ...", "SignatureError"),
    ("a-description-too-long", "from typing import *\nA = Literal['" + "x" * 400_000 + "']\ndef f(a: A): ...", "SignatureError"),
    ("annotations-that-never-end", "A = list['A']\ndef f(a: A): ...", "SignatureError"),
)  # fmt: skip


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractRoom]:
    with contract_room(tmp_path_factory.mktemp("hostile"), env={"LARS_MEMORY": "128m"}) as room:
        yield room


@pytest.mark.parametrize(("name", "text", "end"), CALLS, ids=[row[0] for row in CALLS])
def test_a_call_ends_as_it_must(name: str, text: str, end: str, room: ContractRoom) -> None:
    said = room.call(name, text, seconds=0.25 if end == "FunctionTimeout" else 10.0)
    assert (said.fault.type if said.fault else said.error or said.end) == end
    assert room.call(name, "def f(x: int) -> int: return x + 1", arguments={"x": 1}) == Said(2)


@pytest.mark.parametrize(("name", "text", "kind"), IMPORTS, ids=[row[0] for row in IMPORTS])
def test_an_import_ends_as_it_must(name: str, text: str, kind: str, room: ContractRoom) -> None:
    found = room.inspect(text, seconds=0.25 if kind == "TimeoutError" else 10.0)
    assert found.error is not None
    assert found.error.type == kind, found


def test_after_memory_ran_out_the_state_is_gone(room: ContractRoom) -> None:
    text = "n = 0\ndef f():\n global n\n n += 1\n return n\ndef g(): return bytes(1 << 40)"
    assert [room.call("gone", text, name).value for name in ("f", "f", "g", "f")] == [1, 2, None, 1]


def test_a_worker_that_a_module_has_broken_is_not_asked_again(room: ContractRoom) -> None:
    """It notices when it fails the next one."""
    assert room.call("broken", "import sys\ndef f(): sys.modules.clear()") == Said()
    said = room.call("broken", "def f(): return 1")
    assert (said.end, said.fault and said.fault.type) == ("function_error", "KeyError")
    assert room.call("broken", "def f(): return 1") == Said(1)


def test_a_module_that_cannot_be_imported_costs_the_others_nothing(room: ContractRoom) -> None:
    text = "n = 0\ndef f():\n global n\n n += 1\n return n"
    bad = "def f(): ...\n1 / 0"
    said = [room.call("beside", each) for each in (text, bad, bad, text)]
    assert [each.fault.type if each.fault else each.value for each in said] == [
        1,
        *["ZeroDivisionError"] * 2,
        2,
    ]


def test_after_an_exception_the_state_is_there(room: ContractRoom) -> None:
    text = "n = 0\ndef f():\n global n\n n += 1\n return n\ndef g(): raise SystemExit"
    assert [room.call("kept", text, name).value for name in ("f", "g", "f")] == [1, None, 2]
