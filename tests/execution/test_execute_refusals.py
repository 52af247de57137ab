"""POST /execute of a running service: every refusal, before anything runs."""

from __future__ import annotations

import socket

import httpx
import pytest

from tests.execution.replies import TYPE_JSON, field_errors, problem
from tests.service_process import Service


@pytest.mark.parametrize(
    "text", ["", "{", '{"code": NaN}', '{"code": "\\ud800"}', b"\xff", "[" * 5000, '{"a":1e999,}']
)
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


HEAD = b"POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


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
    errors = field_errors(
        service, timout=3, memory_limt="1m", timeout=1000, memory_limit="8g", argv="x", xyzzy=1
    )
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


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/_/nowhere"), ("POST", "/_"), ("GET", "/execute/x"), ("POST", "/execute/")]
)
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
