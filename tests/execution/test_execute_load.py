"""POST /execute when there are more requests than workers, and when callers leave."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.service_process import Service, running_service
from tests.support import wait_until

SETTINGS = {"LARS_MAX_WORKERS": "1", "LARS_POOL_SIZE": "1", "LARS_QUEUE_SIZE": "1"}
SLEEP = "import time\ntime.sleep(50)"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One worker, one place in the queue."""
    with running_service(tmp_path_factory.mktemp("service"), SETTINGS) as running:
        yield running


@contextmanager
def caller(service: Service, request_id: str, timeout: float = 55.0) -> Iterator[socket.socket]:
    """A caller who has sent a program that sleeps, and reads no answer; leaving ends the connection."""
    url = httpx.URL(service.url)
    body = json.dumps({"code": SLEEP, "timeout": timeout}).encode()
    head = (
        f"POST /execute HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {request_id}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        yield connection


def code_of(response: httpx.Response) -> str:
    """An error's code, or ok."""
    return "ok" if response.status_code == 200 else str(response.json()["code"])


def wait_for_answer(service: Service, code: str) -> None:
    """Until a short request is answered so; it never waits for longer than its own timeout."""
    wait_until(lambda: code_of(service.execute("pass", timeout=0.3)) == code, f"the answer {code}", 30)


def test_queue_timeout(service: Service) -> None:
    """Queue time counts against the request's own timeout; nothing ran."""
    with caller(service, "holder"):
        wait_for_answer(service, "queue_timeout")
        began = time.monotonic()
        response = service.execute("pass", timeout=0.5)
        waited = time.monotonic() - began
        assert (response.status_code, code_of(response)) == (503, "queue_timeout")
        assert 0.5 <= waited < 5
        assert int(response.headers["retry-after"]) == response.json()["retry_after"] >= 1
    wait_for_answer(service, "ok")


def test_full_queue_refuses_at_once(service: Service) -> None:
    """With a computed Retry-After, long before the timeout of whoever is refused."""
    with caller(service, "runs"):
        wait_for_answer(service, "queue_timeout")
        with caller(service, "waits"):
            wait_for_answer(service, "overloaded")
            began = time.monotonic()
            response = service.execute("pass", timeout=30)
            assert time.monotonic() - began < 5
            assert (response.status_code, code_of(response)) == (503, "overloaded")
            assert int(response.headers["retry-after"]) == response.json()["retry_after"] >= 1
            assert "LARS_MAX_WORKERS" in response.json()["detail"]
    wait_for_answer(service, "ok")


def test_caller_who_leaves_frees_the_worker(service: Service) -> None:
    """There is one worker: the next program can run only when the kernel has ended the one before."""
    with caller(service, "leaves"):
        wait_for_answer(service, "queue_timeout")
    assert service.ran("result = 1", timeout=20)["result"] == 1
    (line,) = service.requests_logged("leaves")
    assert (line["status"], line["disconnected"]) == (499, True)


def test_caller_who_leaves_the_queue(service: Service) -> None:
    """Its place in the queue is free again, and what runs goes on."""
    with caller(service, "stays"):
        wait_for_answer(service, "queue_timeout")
        with caller(service, "queues"):
            wait_for_answer(service, "overloaded")
        wait_for_answer(service, "queue_timeout")
        (line,) = service.requests_logged("queues")
        assert line["status"] == 499
        assert not [x for x in service.log_lines() if x.get("request_id") == "stays"]
    wait_for_answer(service, "ok")
