# ruff: noqa: E501 - a program of one line stays one line
"""Output floods, damaged streams, results and sources made to hurt their reader."""

from __future__ import annotations

import sys

from tests.isolation.attack import Attack, Exact, Fence, says

_CAPPED = "the cap on what is kept of a stream is always on; the limit is an option"
_LIMIT = {"file_size": 4 << 20, "output": 4096}
_FULL = Exact("output", 1, None, ("OSError", "[Errno 27] File too large"))
_READER = "the front's reader is always bounded"
_ENCODER = "the encoder's checks are always on"
_PARSER = "the judge's checks are always on"
_NESTED_LINE = 22 if sys.version_info >= (3, 13) else 21
_REJECTED = Exact("rejected", 1, "")


def _result(name: str, program: str, **options: object) -> Attack:
    """A result that must come out as null with its repr, or as itself, and never harm."""
    return Attack(name, program, says(), fence=Fence.WORKER, no_control=_ENCODER, options=options, raw=True)


def _source(name: str, program: str, outcome: Exact = _REJECTED, **options: object) -> Attack:
    return Attack(name, program, outcome, fence=Fence.WORKER, no_control=_PARSER, options=options, raw=True)


ROWS = (
    Attack(
        "flood of print",
        "while True:\n    print('x' * 1000)",
        _FULL,
        fence=Fence.WORKER,
        options=_LIMIT,
        no_control=_CAPPED,
    ),
    Attack(
        "flood of os.write",
        "while True:\n    os.write(1, bytes(1 << 16))",
        _FULL,
        fence=Fence.WORKER,
        options=_LIMIT,
        no_control=_CAPPED,
    ),
    Attack(
        "flood of stderr",
        "while True:\n    os.write(2, bytes(1 << 16))",
        Exact("output", 1, "", _FULL.exception),
        fence=Fence.WORKER,
        options=_LIMIT,
        no_control=_CAPPED,
    ),
    Attack(
        "flood of printf, signals of the limit at their default",
        """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
_libc.setvbuf(ctypes.c_void_p.in_dll(_libc, 'stdout'), None, 2, 0)
while True:
    _libc.printf(b'x' * 4095 + b'\\n')
""",
        Exact("output", 153, None),
        fence=Fence.WORKER,
        options=_LIMIT,
        no_control=_CAPPED,
    ),
    Attack(
        "stream with a hole of its limit",
        "os.lseek(1, (4 << 20) - 1, 0)\nos.write(1, b'x')",
        Exact("ok", 0, "\0" * 2048 + f"\n[... {(4 << 20) - 4096} bytes dropped ...]\n" + "\0" * 2047 + "x"),
        fence=Fence.WORKER,
        options=_LIMIT,
        no_control=_READER,
    ),
    Attack(
        "stream truncated to nothing, and beyond its limit",
        "print('gone', flush=True)\nos.ftruncate(1, 0)\nos.lseek(1, 0, 0)\nprint(tried(os.ftruncate, 1, 1 << 40))",
        says("EFBIG"),
        fence=Fence.WORKER,
        options=_LIMIT,
        no_control=_READER,
    ),
    Attack(
        "streams sealed, resized, punched",
        """
import fcntl
print('here', flush=True)
print(tried(fcntl.fcntl, 1, 1033, 15), call(NR_fallocate, 1, 3, 0, 2), call(NR_fallocate, 1, 0, 0, 1 << 40), call(NR_fallocate, 1, 1, 0, 1 << 30), flush=True)
""",
        Exact("ok", 0, "\0\0re\nEPERM 0 EFBIG EFBIG\n"),
        fence=Fence.KERNEL,
        no_control="a memory file made without MFD_ALLOW_SEALING stays so",
    ),
    Attack(
        "streams closed",
        "print('kept', flush=True)\nos.close(1)\nos.close(2)\nos.close(0)",
        says("kept"),
        fence=Fence.WORKER,
        no_control=_READER,
    ),
    Attack(
        "streams replaced by the channel",
        "print('kept', flush=True)\nos.dup2(3, 1)\nprint('to the front', flush=True)\n__import__('signal').pause()",
        Exact("signal", 137, "kept\n"),
        fence=Fence.WIRE,
        no_control=_READER,
    ),
    Attack(
        "bytes that are no text",
        "os.write(1, b'\\xff\\xfe\\0\\x1b[31m\\n')",
        Exact("ok", 0, "\\xff\\xfe\0\x1b[31m\n"),
        fence=Fence.WORKER,
        no_control=_READER,
    ),
    _result("result: larger than its limit", "result = 'x' * (2 << 20)"),
    _result("result: nested without end", "result = []\nfor _ in range(100000):\n    result = [result]"),
    _result("result: cycle", "result = {}\nresult['me'] = result"),
    _result("result: number of a million digits", "result = 1 << 4000000"),
    _result("result: NaN", "result = [float('nan')]"),
    _result(
        "result: shared a billion times", "result = [0]\nfor _ in range(22):\n    result = [result, result]"
    ),
    _result(
        "result: repr that raises",
        "class A:\n    def __repr__(self):\n        raise SystemExit(9)\nresult = A()",
    ),
    _result(
        "result: repr without end",
        "class A:\n    def __repr__(self):\n        return 'x' * (1 << 24)\nresult = A()",
    ),
    _result(
        "result: class that lies",
        "class A(dict):\n    __class__ = property(lambda self: str)\n    def items(self):\n        raise OSError(28, 'no')\n    def __len__(self):\n        return 1 << 62\nresult = A(a=1)",
    ),
    _result(
        "result: string subclass with a hostile encode",
        "class S(str):\n    def __str__(self):\n        return 1\n    def encode(self, *a):\n        return None\nresult = [S('a')]",
    ),
    _result(
        "result: keys that hash alike but are not",
        "class K(str):\n    def __eq__(self, other):\n        return False\n    __hash__ = str.__hash__\nresult = {K('a'): 1, K('a'): 2}",
    ),
    Attack(
        "exception that harms its reader",
        "class E(Exception):\n    def __str__(self):\n        raise KeyboardInterrupt\n    def __repr__(self):\n        raise SystemExit\nraise E",
        Exact("exception", 1, "", ("E", "<its str raised KeyboardInterrupt>")),
        fence=Fence.WORKER,
        no_control=_ENCODER,
    ),
    Attack(
        "excepthook that lies",
        "import sys\nsys.excepthook = lambda *a: os._exit(0)\n1 / 0",
        Exact("ok", 0, ""),
        fence=Fence.ONE_SHOT,
        no_control="its own word about its own request",
    ),
    _source(
        "source: parentheses",
        "(" * 100000 + ")" * 100000,
        Exact("exception", 1, "", ("SyntaxError", "too many nested parentheses (main.py, line 1)")),
    ),
    _source("source: unary minus", "-" * 100000 + "1"),
    _source("source: lambdas", "lambda: " * 20000 + "1"),
    _source("source: attributes", "a" + ".a" * 100000),
    _source("source: sum of many", "+".join(["a"] * 100000)),
    _source(
        "source: blocks",
        "\n".join(" " * n + "if 1:" for n in range(101)) + "\n" + " " * 101 + "pass",
        Exact("exception", 1, "", ("IndentationError", "too many levels of indentation (main.py, line 101)")),
    ),
    _source(
        "source: statically nested blocks",
        "\n".join(" " * n + "for a in b:" for n in range(25)) + "\n" + " " * 25 + "pass",
        Exact(
            "exception",
            1,
            "",
            ("SyntaxError", f"too many statically nested blocks (main.py, line {_NESTED_LINE})"),
        ),
    ),
    _source("source: null byte", "print(1)\0"),
    _source(
        "source: integer of a million digits",
        "1" * 400000,
        Exact(
            "exception",
            1,
            "",
            (
                "SyntaxError",
                "Exceeds the limit (4300 digits) for integer string conversion: value has 400000 digits; use sys.set_int_max_str_digits() to increase the limit - Consider hexadecimal for huge integer literals to avoid decimal conversion limits. (main.py, line 1)",
            ),
        ),
    ),
    _source(
        "source: constant that folds to a gigabyte",
        "a = 'x' * 1000 * 1000 * 1000",
        Exact("memory", 1, "", ("MemoryError", "")),
        memory=64 << 20,
    ),
    _source("source: over the cap", "#" * 20000, max_code=10000),
    _source(
        "source: another encoding",
        "# coding: utf-7\n+AG8-s",
        Exact("exception", 1, "", ("NameError", "name 'AG8' is not defined")),
    ),
)
