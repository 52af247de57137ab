"""POST /execute of a running service: ids, connections, requests at the same time, the log."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from tests.execution.replies import TYPE_JSON
from tests.service_process import Service


@pytest.mark.parametrize("given", ["abc.DEF_~-9", None, "not allowed!", "x" * 200])
def test_request_id(service: Service, given: str | None) -> None:
    """Echoed when it is acceptable, else a fresh one."""
    with service.client() as client:
        headers = {"X-Request-ID": given} if given else {}
        got = client.get("/health", headers=headers).headers["x-request-id"]
    assert (got == given) == (given == "abc.DEF_~-9")
    assert got


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00 not HTTP\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /execute HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_a_problem_too(service: Service, request_bytes: bytes) -> None:
    """With an id that the log has, and an end of the connection."""
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 0), timeout=20) as connection:
        connection.sendall(request_bytes)
        head, _, text = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    headers = head.decode().lower().split("\r\n")
    body = json.loads(text)
    assert headers[0] == "http/1.1 400 bad request"
    assert {"content-type: application/problem+json", "connection: close"} <= set(headers)
    assert f"x-request-id: {body['request_id']}" in headers
    assert (body["status"], body["code"], body["error"]) == (400, "bad_request", body["detail"])
    lines = [line for line in service.log_lines() if line.get("request_id") == body["request_id"]]
    assert [(line["event"], line["status"]) for line in lines] == [("request", 400)]


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
    ("code", "fields", "logged"),
    [
        ("secret_code = 1", {"data": "secret_data"}, ("ok", 200, None)),
        ("secret_code = 1 / 0", {"stdin": "secret_stdin"}, ("exception", 200, None)),
        ("import secret_code", {"policy": "restricted"}, ("rejected", 403, "policy_refused")),
        ("secret_code", {"secret_field": 1}, (None, 422, "validation_failed")),
    ],
)
def test_one_log_line(
    service: Service, code: str, fields: dict[str, Any], logged: tuple[str | None, int, str | None]
) -> None:
    """Exactly one per request, with what an operator needs and nothing of what the caller sent."""
    verdict, status, error_code = logged
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
