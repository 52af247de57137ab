"""POST /execute of a running service: every verdict, with what it keeps and says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service_process import Service

VERDICTS: tuple[tuple[str, str, dict[str, Any], int, tuple[str, ...]], ...] = (
    ("ok", "print('kept')", {}, 0, ()),
    ("exception", "print('kept')\n1 / 0", {}, 1, ()),
    ("exit", "print('kept')\nraise SystemExit(3)", {}, 3, ()),
    ("exit", "import os\nprint('kept')\nos._exit(4)", {}, 4, ("os._exit", "result")),
    (
        "timeout",
        "print('kept')\nimport time\ntime.sleep(30)",
        {"timeout": 0.4},
        124,
        ("0.4 s", "raise timeout"),
    ),
    (
        "cpu",
        "print('kept')\nwhile True: pass",
        {"timeout": 8, "cpu_limit": 0.05},
        137,
        ("0.40 s", "cpu_limit", "used"),
    ),
    (
        "memory",
        "print('kept')\nx = 'a' * (1 << 29)",
        {"memory_limit": "64m"},
        1,
        ("memory_limit", str(64 << 20), "raise memory_limit"),
    ),
    ("output", "print('kept')\nwhile True: print('x' * 65536)", {}, 1, (str(64 << 20), "print less")),
    (
        "disk",
        "print('kept')\nwith open('f', 'wb', 0) as f:\n    while True: f.write(bytes(1 << 20))",
        {},
        1,
        (str(64 << 20), "write less"),
    ),
    (
        "signal",
        "print('kept')\nimport os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
        {},
        143,
        ("SIGTERM",),
    ),
    ("signal", "print('kept')\nimport ctypes\nctypes.string_at(0)", {}, 139, ("SIGSEGV", "ctypes")),
    (
        "signal",
        "print('kept')\nimport os\nos.write(3, b'x' * 99)\nos.read(0, 1)\nwhile 1: pass",
        {},
        137,
        ("descriptor 3",),
    ),
    ("syscall", "print('kept')\nimport os\nos.fork()", {}, 1, ("EPERM", "os.fork()", "no processes")),
    (
        "syscall",
        "print('kept')\nimport subprocess\nsubprocess.run(['ls'])",
        {},
        1,
        ("line 3: subprocess.run(['ls'])", "no processes"),
    ),
    ("timeout", "print('kept')\nwhile True: pass", {"timeout": 0.5}, 124, ("0.5 s", "raise timeout")),
    ("timeout", "print('kept')\nwhile True: pass", {"timeout": 1.99}, 124, ("1.99 s", "raise timeout")),
    ("syscall", "print('kept')\nimport socket\nsocket.socket()", {}, 1, ("EPERM", "no network")),
)


@pytest.mark.parametrize(
    "row",
    VERDICTS,
    ids=[f"{v[0]}-{n}" for n, v in enumerate(VERDICTS)],
)
def test_verdict(service: Service, row: tuple[str, str, dict[str, Any], int, tuple[str, ...]]) -> None:
    """The exit code, the detail in one line, and what was printed before."""
    verdict, code, fields, exit_code, words = row
    body = service.ran(code, **fields)
    assert (body["verdict"], body["exit_code"], body["success"]) == (verdict, exit_code, exit_code == 0)
    assert body["stdout"].startswith("kept\n")
    assert (body["error"] is None) == (exit_code == 0)
    assert "\n" not in (body["error"] or "")
    assert "\n" not in (body["detail"] or "")
    assert [word for word in words if word not in (body["detail"] or "")] == []


@pytest.mark.parametrize(
    ("code", "error", "hint"),
    [
        ("import numpy", "ModuleNotFoundError: No module named 'numpy'", "GET /capabilities"),
        ("import socket\nsocket.getaddrinfo('example.org', 80)", "gaierror: ", "no network"),
        ("from urllib.request import urlopen\nurlopen('http://example.org')", "URLError: ", "no network"),
        ("import multiprocessing\nmultiprocessing.Lock()", "FileNotFoundError: ", "start no processes"),
        ("x = [open('/dev/null') for _ in range(300)]", "OSError: [Errno 24]", "LARS_MAX_OPEN_FILES"),
        (
            (
                "from threading import Thread\nimport time\n"
                "while True: Thread(target=time.sleep, args=(9,), daemon=True).start()"
            ),
            "RuntimeError: can't start new thread",
            "LARS_MAX_THREADS",
        ),
        ("open('missing')", "FileNotFoundError: ", None),
        ("1/0", "ZeroDivisionError: division by zero", None),
    ],
)
def test_what_the_jail_does_not_have_is_explained(
    service: Service, code: str, error: str, hint: str | None
) -> None:
    """An ordinary exception, whose cause and remedy detail tells."""
    body = service.ran(code)
    assert (body["verdict"], body["exit_code"]) == ("exception", 1)
    assert body["error"].startswith(error)
    if hint is None:
        assert body["detail"] is None
    else:
        assert hint in body["detail"]


def test_exception_member(service: Service) -> None:
    """Type, message, the last line in main.py, and the traceback that stderr has."""
    body = service.ran("import json\n\ndef f():\n    json.loads('{')\n\nf()")
    told = body["exception"]
    assert (told["type"], told["line"]) == ("JSONDecodeError", 4)
    assert told["message"].startswith("Expecting property name")
    assert told["traceback"] == body["stderr"]
    assert body["error"] == f"JSONDecodeError: {told['message']}"


def test_syntax_error_is_the_programs(service: Service) -> None:
    """200, exit code 1, CPython's own text."""
    body = service.ran("x = (\n")
    assert (body["verdict"], body["exit_code"], body["exception"]["line"]) == ("exception", 1, 1)
    assert (
        body["stderr"]
        == "  File \"main.py\", line 1\n    x = (\n        ^\nSyntaxError: '(' was never closed\n"
    )


def test_memory_error_caught(service: Service) -> None:
    """It is the program's own business."""
    body = service.ran("try:\n    'a' * (1 << 40)\nexcept MemoryError:\n    result = 'caught'")
    assert (body["verdict"], body["result"]) == ("ok", "caught")
