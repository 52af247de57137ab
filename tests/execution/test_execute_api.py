"""POST /execute of a running service: every field, every verdict, every refusal."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from tests.service_process import Service, running_service

MEMBERS = {
    *"success result stdout stderr exit_code execution_time original_code executed_code".split(),
    *"validation_result error exception verdict detail truncated result_repr warnings usage timing".split(),
}
PROBLEM = {"type", "title", "status", "detail", "code", "error", "instance", "request_id"}
TYPE_JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the module; its end is checked too."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The body of an error, its shape checked."""
    body = response.json()
    assert (response.status_code, body["code"], body["status"]) == (status, code, status), body
    assert response.headers["content-type"] == "application/problem+json"
    assert PROBLEM <= set(body)
    assert body["type"] == f"urn:lars:error:{code}"
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["instance"] == f"urn:lars:request:{body['request_id']}"
    assert "\n" not in body["error"]
    return dict(body)


def field_errors(service: Service, **body: Any) -> dict[str, dict[str, Any]]:
    """The errors of a 422 by field."""
    response = service.execute(body.pop("code", "pass"), **body)
    return {error["field"]: error for error in problem(response, 422, "validation_failed")["errors"]}


# -- what the two older services promised -----------------------------------------------------------------


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
    nothing = {"exception": None, "detail": None, "truncated": {}, "result_repr": None, "warnings": []}
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
    assert [service.ran(source, memory_limit=m)["result"] for m in limits] == [False, False, False, True, True]


def test_validate_code(service: Service) -> None:
    """Findings name the line; the program runs all the same."""
    body = service.ran("import os\nos.system('x')\nprint('ran')", validate_code=True)
    assert "Line 2" in body["validation_result"]
    assert body["stdout"] == "ran\n"
    assert service.ran("os = 1", validate_code=False)["validation_result"] is None


# -- verdicts ---------------------------------------------------------------------------------------------

VERDICTS: tuple[tuple[str, str, dict[str, Any], int, tuple[str, ...]], ...] = (
    ("ok", "print('kept')", {}, 0, ()),
    ("exception", "print('kept')\n1 / 0", {}, 1, ()),
    ("exit", "print('kept')\nraise SystemExit(3)", {}, 3, ()),
    ("exit", "import os\nprint('kept')\nos._exit(4)", {}, 4, ("os._exit", "result")),
    ("timeout", "print('kept')\nimport time\ntime.sleep(30)", {"timeout": 0.4}, 124, ("0.4 s", "raise timeout")),
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
    ("signal", "print('kept')\nimport os, signal\nos.kill(os.getpid(), signal.SIGTERM)", {}, 143, ("SIGTERM",)),
    ("signal", "print('kept')\nimport ctypes\nctypes.string_at(0)", {}, 139, ("SIGSEGV", "ctypes")),
    ("signal", "print('kept')\nimport os\nos.write(3, b'x' * 99)\nos.read(0, 1)\nwhile 1: pass", {}, 137, ("descriptor 3",)),
    ("syscall", "print('kept')\nimport os\nos.fork()", {}, 1, ("EPERM", "os.fork()", "no processes")),
    ("syscall", "print('kept')\nimport socket\nsocket.socket()", {}, 1, ("EPERM", "no network")),
)


@pytest.mark.parametrize(
    ("verdict", "code", "fields", "exit_code", "words"), VERDICTS, ids=[f"{v[0]}-{n}" for n, v in enumerate(VERDICTS)]
)
def test_verdict(
    service: Service, verdict: str, code: str, fields: dict[str, Any], exit_code: int, words: tuple[str, ...]
) -> None:
    """The exit code, the detail in one line, and what was printed before."""
    body = service.ran(code, **fields)
    assert (body["verdict"], body["exit_code"], body["success"]) == (verdict, exit_code, exit_code == 0)
    assert body["stdout"].startswith("kept\n")
    assert (body["error"] is None) == (exit_code == 0)
    assert "\n" not in (body["error"] or "")
    assert "\n" not in (body["detail"] or "")
    assert [word for word in words if word not in (body["detail"] or "")] == []


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
    assert body["stderr"] == "  File \"main.py\", line 1\n    x = (\n        ^\nSyntaxError: '(' was never closed\n"


def test_memory_error_caught(service: Service) -> None:
    """It is the program's own business."""
    body = service.ran("try:\n    'a' * (1 << 40)\nexcept MemoryError:\n    result = 'caught'")
    assert (body["verdict"], body["result"]) == ("ok", "caught")


# -- output -----------------------------------------------------------------------------------------------


def test_head_and_tail(service: Service) -> None:
    """Half of the cap from each end, the rest counted in between and in truncated."""
    half, extra = 1 << 19, 777
    source = f"import sys\nsys.stdout.write('h' * {half} + 'm' * {extra} + 't' * {half})\nprint(end='e', file=sys.stderr)"
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


# -- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "{", '{"code": NaN}', '{"code": "\\ud800"}', b"\xff", "[" * 5000, '{"a":1e999,}'])
def test_malformed_json(service: Service, text: str | bytes) -> None:
    """400, and where."""
    with service.client() as client:
        body = problem(client.post("/execute", content=text, headers=TYPE_JSON), 400, "malformed_json")
    assert {"line", "column"} <= set(body)


@pytest.mark.parametrize("text", ["[]", "1", '"code"', "null"])
def test_json_that_is_no_object(service: Service, text: str) -> None:
    """422 that says what to send."""
    with service.client() as client:
        response = client.post("/execute", content=text, headers=TYPE_JSON)
    assert problem(response, 422, "validation_failed")["errors"][0]["field"] == "body"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_other_media_type(service: Service, kind: str) -> None:
    """415, whatever the body."""
    with service.client() as client:
        response = client.post("/execute", content='{"code": "1"}', headers={"Content-Type": kind})
    problem(response, 415, "unsupported_media_type")


def _raw(service: Service, *parts: bytes) -> bytes:
    """Send parts on one connection, read one answer until the server closes or its body is whole."""
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while b"}" not in answer.partition(b"\r\n\r\n")[2]:
            chunk = connection.recv(65536)
            if not chunk:
                break
            answer += chunk
    return answer


HEAD = b"POST /execute HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_body_declared_too_large(service: Service) -> None:
    """413 from the header alone: not one byte of the body was sent."""
    answer = _raw(service, HEAD + b"Content-Length: 99999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"LARS_MAX_BODY_BYTES" in answer
    assert b'"payload_too_large"' in answer


def test_body_of_chunks_too_large(service: Service) -> None:
    """413 as soon as the bytes so far are over the cap; the body never ended."""
    size = (8 << 20) + 1
    answer = _raw(service, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n" % size, b" " * size)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"payload_too_large"' in answer


def test_unknown_field_names_the_nearest(service: Service) -> None:
    """422; every wrong field is told of at once, with value, limit and remedy."""
    errors = field_errors(service, timout=3, memory_limt="1m", timeout=1000, memory_limit="8g", argv="x", xyzzy=1)
    assert errors["timout"]["remedy"] == "did you mean timeout?"
    assert errors["memory_limt"]["remedy"] == "did you mean memory_limit?"
    assert "known fields are code" in errors["xyzzy"]["remedy"]
    assert (errors["timeout"]["value"], errors["timeout"]["limit"]) == (1000, 60)
    assert "LARS_TIMEOUT_MAX" in errors["timeout"]["remedy"]
    assert (errors["memory_limit"]["value"], errors["memory_limit"]["limit"]) == ("8g", 1 << 30)
    assert set(errors) == {"timout", "memory_limt", "timeout", "memory_limit", "argv", "xyzzy"}


def test_code_is_missing(service: Service) -> None:
    """The only field that must be there."""
    with service.client() as client:
        body = problem(client.post("/execute", json={"data": 1}), 422, "validation_failed")
    assert [error["field"] for error in body["errors"]] == ["code"]


def test_code_too_long(service: Service) -> None:
    """The ceiling and the setting are named."""
    error = field_errors(service, code="#" * (513 << 10))["code"]
    assert (error["limit"], "LARS_MAX_CODE_BYTES" in error["remedy"]) == (512 << 10, True)


@pytest.mark.parametrize(
    ("code", "rule", "line", "column"),
    [
        ("x = 1\nimport os", "import", 2, 8),
        ("x = ().__class__", "underscore", 1, 8),
        ("x = 1\ny = '\0'", "parse", 2, 6),
    ],
)
def test_policy_refusal(service: Service, code: str, rule: str, line: int, column: int) -> None:
    """403 with rule, place and verdict; nothing ran."""
    body = problem(service.execute(code, policy="restricted"), 403, "policy_refused")
    assert (body["verdict"], body["rule"], body["line"], body["column"]) == ("rejected", rule, line, column)
    assert f"line {line}, column {column}" in body["detail"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("POST", "/"), ("GET", "/execute/x")])
def test_not_found(service: Service, method: str, path: str) -> None:
    """A problem like every other."""
    with service.client() as client:
        problem(client.request(method, path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", "/execute", "POST"), ("OPTIONS", "/execute", "POST"), ("POST", "/health", "GET, HEAD")],
)
def test_method_not_allowed(service: Service, method: str, path: str, allow: str) -> None:
    """405 with Allow (RFC 9110 section 15.5.6)."""
    with service.client() as client:
        response = client.request(method, path)
    problem(response, 405, "method_not_allowed")
    assert sorted(response.headers["allow"].split(", ")) == allow.split(", ")


# -- the connection ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["abc.DEF_~-9", None, "not allowed!", "x" * 200])
def test_request_id(service: Service, given: str | None) -> None:
    """Echoed when it is acceptable, else a fresh one."""
    with service.client() as client:
        headers = {"X-Request-ID": given} if given else {}
        got = client.get("/health", headers=headers).headers["x-request-id"]
    assert (got == given) == (given == "abc.DEF_~-9")
    assert got


def test_keep_alive(service: Service) -> None:
    """One connection serves request after request, errors between them included."""
    url = httpx.URL(service.url)
    connection = HTTPConnection(url.host, url.port, timeout=20)
    try:
        connection.connect()
        opened = connection.sock
        statuses = []
        for body in (b'{"code": "1"}', b"{", b'{"code": "1/0"}', b'{"code": "1", "x": 1}'):
            connection.request("POST", "/execute", body, TYPE_JSON)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        assert (statuses, connection.sock is opened) == ([200, 400, 200, 422], True)
    finally:
        connection.close()


def test_requests_do_not_mix(service: Service) -> None:
    """Each of many at the same time gets its own output, result and data."""
    source = "import time\nprint(data)\ntime.sleep(0.01)\nresult = [data, __import__('os').listdir()]"
    with ThreadPoolExecutor(12) as threads:
        bodies = list(threads.map(lambda n: service.ran(source, data=n), range(48)))
    assert [(b["stdout"], b["result"]) for b in bodies] == [(f"{n}\n", [n, ["main.py"]]) for n in range(48)]


@pytest.mark.parametrize(
    ("code", "fields", "verdict", "status", "error_code"),
    [
        ("secret_code = 1", {"data": "secret_data"}, "ok", 200, None),
        ("secret_code = 1 / 0", {"stdin": "secret_stdin"}, "exception", 200, None),
        ("import secret_code", {"policy": "restricted"}, "rejected", 403, "policy_refused"),
        ("secret_code", {"secret_field": 1}, None, 422, "validation_failed"),
    ],
)
def test_one_log_line(
    service: Service, code: str, fields: dict[str, Any], verdict: str | None, status: int, error_code: str | None
) -> None:
    """Exactly one per request, with what an operator needs and nothing of what the caller sent."""
    request_id = f"log-{time.monotonic_ns()}"
    with service.client() as client:
        client.post("/execute", json={"code": code, **fields}, headers={"X-Request-ID": request_id})
        client.get("/health", headers={"X-Request-ID": request_id + "-after"})
    service.requests_logged(request_id + "-after")
    (line,) = service.requests_logged(request_id)
    expected = {"method": "POST", "route": "/execute", "status": status, "level": "info"}
    assert line.items() >= expected.items()
    assert (line.get("verdict"), line.get("error_code")) == (verdict, error_code)
    assert line["total_ms"] > 0
    if verdict is not None:
        assert line["domain"] == "oneshot"
        assert {"queue_ms", "bind_ms", "run_ms"} <= set(line)
    assert "secret_" not in service.log.read_text("utf-8")
