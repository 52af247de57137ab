"""POST /execute of a running service: what the older services promised, every field, the reply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.execution.replies import MEMBERS, TYPE_JSON, problem
from tests.service_process import Service


def test_older_execution_service(service: Service) -> None:
    """Its example request; the reply has its members, with its values where they are fixed."""
    source = "print('Hello, world!')"
    request = {"timeout": 10, "memory_limit": "100m", "cpu_limit": 0.5, "validate_code": True}
    body = service.ran(source, **request)
    fixed = {"stdout": "Hello, world!\n", "stderr": "", "exit_code": 0, "original_code": source}
    assert body.items() >= {**fixed, "executed_code": source}.items()
    assert 0 < body["execution_time"] < 5
    assert isinstance(body["validation_result"], str)


@pytest.mark.parametrize(
    ("code", "data", "result"),
    [
        ("result = sum(data['numbers']) / len(data['numbers'])", {"numbers": [1, 2, 3, 4, 5]}, 3.0),
        ('result = data["x"] + data["y"]', {"x": 1, "y": 2}, 3),
    ],
)
@pytest.mark.parametrize("policy", ["program", "restricted"])
def test_older_code_executor(service: Service, code: str, data: object, result: float, policy: str) -> None:
    """Its example requests, with no fields that it did not know, and under its own policy."""
    body = service.ran(code, data=data, policy=policy)
    assert body.items() >= {"success": True, "result": result}.items()
    assert type(body["result"]) is type(result)


# -- fields -----------------------------------------------------------------------------------------------


def test_reply_members(service: Service) -> None:
    """All of them, always, and no others."""
    body = service.ran("print(1)\nresult = [1]")
    assert set(body) == MEMBERS
    assert set(body["usage"]) == {"wall", "cpu", "memory_peak"}
    assert set(body["timing"]) == {"queue", "bind", "run", "collect"}
    assert body["execution_time"] == body["timing"]["run"]
    assert body["usage"]["memory_peak"] > 1 << 20
    unchanged = {"success": True, "result": [1], "stdout": "1\n", "stderr": "", "exit_code": 0, "error": None}
    nothing: dict[str, object] = {
        "exception": None,
        "detail": None,
        "truncated": {},
        "result_repr": None,
        "warnings": [],
    }
    assert body.items() >= {**unchanged, **nothing, "verdict": "ok", "validation_result": None}.items()


def test_stdin_and_argv(service: Service) -> None:
    """As a main script gets them."""
    source = "import sys\nresult = [sys.argv, sys.stdin.read()]"
    body = service.ran(source, stdin="é\n", argv=["-n", "", "a b"])
    assert body["result"] == [["main.py", "-n", "", "a b"], "é\n"]


def test_null_is_the_default(service: Service) -> None:
    """As leaving the field out is; but data that is null is data."""
    names = ("timeout", "memory_limit", "cpu_limit", "stdin", "argv", "policy", "validate_code")
    nulls: dict[str, Any] = dict.fromkeys(names)
    body = service.ran("import sys\nresult = [data, sys.stdin.read(), sys.argv]", data=None, **nulls)
    assert body["result"] == [None, "", ["main.py"]]
    assert service.ran("result = 'data' in globals()")["result"] is False


@pytest.mark.parametrize(
    "data",
    [2**64, -(2**200), 10**4299, 0.1, -0.0, "\u2028\U0001f600", [], {"": {"a": [None, True]}}, "x" * 100_000],
    ids=range(9),
)
def test_data_round_trip(service: Service, data: object) -> None:
    """Exact, integers beyond 64 bits and beyond a double included."""
    with service.client() as client:
        text = json.dumps({"code": "result = data", "data": data})
        response = client.post("/execute", content=text.encode(), headers=TYPE_JSON)
    assert json.loads(response.text)["result"] == data


def test_data_integer_with_too_many_digits(service: Service) -> None:
    """Python's own limit of 4300 digits: the field is named, nothing ran."""
    with service.client() as client:
        text = '{"code": "pass", "data": [' + "9" * 5000 + "]}"
        response = client.post("/execute", content=text, headers=TYPE_JSON)
    (error,) = problem(response, 422, "validation_failed")["errors"]
    assert error["field"] == "data"
    assert "4300 digits" in error["message"]


def test_memory_limit_units(service: Service) -> None:
    """Text and number mean bytes alike; the program sees the difference."""
    source = "try:\n    x = bytearray(50 << 20)\n    result = True\nexcept MemoryError:\n    result = False"
    limits = ["20m", 20 << 20, "20MiB", "200m", 200 << 20]
    assert [service.ran(source, memory_limit=m)["result"] for m in limits] == [
        False,
        False,
        False,
        True,
        True,
    ]


def test_validate_code(service: Service) -> None:
    """Findings name the line; the program runs all the same."""
    body = service.ran("import os\nos.system('x')\nprint('ran')", validate_code=True)
    assert "Line 2" in body["validation_result"]
    assert body["stdout"] == "ran\n"
    assert service.ran("os = 1", validate_code=False)["validation_result"] is None
