"""POST /execute of a running service: what comes back of stdout, stderr and result."""

from __future__ import annotations

import json

import pytest

from tests.service_process import Service


def test_head_and_tail(service: Service) -> None:
    """Half of the cap from each end, the rest counted in between and in truncated."""
    half, extra = 1 << 19, 777
    source = (
        f"import sys\nsys.stdout.write('h' * {half} + 'm' * {extra} + 't' * {half})\nsys.stderr.write('e')"
    )
    body = service.ran(source)
    assert body["stdout"] == "h" * half + f"\n[... {extra} bytes dropped ...]\n" + "t" * half
    assert body["truncated"] == {"stdout": extra}
    assert body["stderr"] == "e"


def test_output_of_just_the_cap(service: Service) -> None:
    """Nothing is dropped."""
    body = service.ran("import sys\nsys.stderr.write('x' * (1 << 20))")
    assert (len(body["stderr"]), body["truncated"]) == (1 << 20, {})


def test_output_that_is_no_text(service: Service) -> None:
    """Bytes that are not UTF-8 are shown escaped."""
    body = service.ran("import os\nos.write(1, b'a\\xff\\xc3\\xa9\\x00')")
    assert body["stdout"] == "a\\xffé\x00"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("result = float('nan')", "float"),
        ("result = [1, -float('inf')]", "float"),
        ("result = {1, 2}", "set"),
        ("result = b'x'", "bytes"),
        ("import decimal\nresult = decimal.Decimal(1)", "Decimal"),
        ("result = {(1,): 2}", "keys"),
        ("result = {1: 'a', '1': 'b'}", "two keys"),
        ("result = []\nresult.append(result)", "circular"),
        ("result = []\nfor _ in range(100000): result = [result]", "nested too deeply"),
        ("result = '\\ud800'", "surrogate"),
        ("result = 'x' * (2 << 20)", "LARS_MAX_RESULT_BYTES"),
        ("class R:\n    def __repr__(self): raise SystemExit(9)\nresult = R()", "R is not"),
        ("class R(dict):\n    def items(self): raise SystemExit(9)\nresult = R(a=1)", "SystemExit"),
        ("result = object", "type"),
        ("result = 10 ** 5000", "4300 digits"),
    ],
)
def test_result_that_json_cannot_hold(service: Service, code: str, why: str) -> None:
    """null, a repr and a warning; the program itself is fine."""
    body = service.ran(code)
    assert (body["verdict"], body["exit_code"], body["result"]) == ("ok", 0, None)
    assert isinstance(body["result_repr"], str)
    (warning,) = body["warnings"]
    assert why.lower() in warning.lower()


_NO_MEMORY_LEFT = """
hoard = []
for size in (1 << 20, 1 << 12, 1 << 6):
    try:
        while True:
            hoard.append(bytearray(size))
    except MemoryError:
        pass
"""


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ("result = 'x' * 900_000", "x" * 900_000),
        ("result = '\\0' * 100_000", "\0" * 100_000),
        ("result = [1] * 150_000", [1] * 150_000),
        ("result = [1]\nfor _ in range(40): result = [result, result]", None),
    ],
)
def test_result_when_no_memory_is_left(service: Service, made: str, expected: object) -> None:
    """The room to encode it is not the program's."""
    body = service.ran(f"{made}\n{_NO_MEMORY_LEFT}", memory_limit="48m")
    assert (body["verdict"], body["exit_code"]) == ("ok", 0), body["detail"]
    assert body["result"] == expected


def test_result_with_no_memory_to_encode_it(service: Service) -> None:
    body = service.ran(f"result = [1] * 520_000\n{_NO_MEMORY_LEFT}", memory_limit="48m")
    assert (body["verdict"], body["exit_code"], body["result"]) == ("ok", 0, None), body["detail"]
    assert "ran out of memory" in body["warnings"][0]
    assert len(service.ran("result = [1] * 520_000", memory_limit="128m")["result"]) == 520_000


def test_threads_fit_into_the_default_memory(service: Service) -> None:
    body = service.ran(
        "import threading\ngo = threading.Barrier(61)\n"
        "threads = [threading.Thread(target=go.wait) for _ in range(60)]\n"
        "for thread in threads: thread.start()\n"
        "go.wait()\nresult = len(threads)"
    )
    assert body["result"] == 60, body["stderr"]


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("result = (1, (2, 3))", [1, [2, 3]]),
        ("result = {1: 2, None: 3, 1.5: 4}", {"1": 2, "null": 3, "1.5": 4}),
        ("class S(str): pass\nresult = [S('s')]", ["s"]),
        ("result = 2 ** 300", 2**300),
        ("result = 10 ** 4000", 10**4000),
        ("result = 1\nraise ValueError", 1),
        ("import atexit\n@atexit.register\ndef _():\n    global result\n    result = 'last'", "last"),
        ("results = 1", None),
    ],
)
def test_result(service: Service, code: str, result: object) -> None:
    """Conversions are json's; the final value counts, whatever the ending."""
    response = service.execute(code)
    body = json.loads(response.text)
    assert (body["result"], body["warnings"]) == (result, [])
