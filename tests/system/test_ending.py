"""Answers that are the last of their connection reach who still sends."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.service_process import Service, running_service
from tests.system.raw import Peer, head, peer

MANY = 8
BODY = 0.6  # seconds
LATEST = 5.0
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that keeps few connections, and drops the rest of a body for a short time."""
    settings = {
        "LARS_MAX_CONNECTIONS": str(MANY),
        "LARS_BODY_SECONDS": str(BODY),
        "LARS_SESSION_QUOTA": "64m",
    }
    with running_service(tmp_path_factory.mktemp("service"), settings) as service:
        yield service


LAST = {
    "Connection: close": ("1.1", "Connection: close\r\n"),
    "HTTP/1.0": ("1.0", ""),
}


@pytest.mark.parametrize(("version", "line"), LAST.values(), ids=LAST)
def test_a_body_that_nobody_waits_for_can_be_sent(service: Service, version: str, line: str) -> None:
    """The connection ends with the answer, and is not reset while the caller sends: a proxy that asks in
    HTTP/1.0 would take that for a failure of the service."""
    size = 8 << 20
    with peer(service.url) as one:
        one.send(
            f"POST /health HTTP/{version}\r\nHost: localhost\r\n{line}Content-Length: {size}\r\n\r\n".encode()
        )
        for _ in range(size >> 20):
            one.connection.sendall(b" " * (1 << 20))
        answer = one.answer()
        assert one.connection.recv(1) == b""
    assert (answer.code, answer.headers["connection"]) == ("method_not_allowed", "close")


def test_a_broken_body_is_told_to_who_goes_on_sending(service: Service) -> None:
    with peer(service.url) as one:
        one.send(head("/execute", JSON, "Transfer-Encoding: chunked", method="POST") + b"zz\r\n")
        for _ in range(4):
            one.connection.sendall(b" " * (1 << 20))
        assert one.answer().code == "bad_request"
        assert one.connection.recv(1) == b""


def test_who_does_not_stop_sending_is_let_go(service: Service) -> None:
    with peer(service.url) as one:
        one.send(head("/health", "Connection: close", "Content-Length: 999999999", method="POST"))
        assert one.answer().code == "method_not_allowed"
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            _trickle(one)
        assert BODY * 0.9 < time.monotonic() - began < LATEST


def _trickle(one: Peer) -> None:
    while True:
        one.connection.sendall(b" ")
        select.select([], [], [], 0.02)  # what a slow caller does


def test_a_large_last_answer_is_read_slowly_to_its_end(service: Service) -> None:
    """Longer than the rest of the request, which never comes, is waited for."""
    session = "much"
    with service.client(headers={"X-Session-ID": session}) as client:
        records = [{"text": "x" * 900_000} for _ in range(20)]
        assert client.post(f"/_/sessions/{session}/import", json={"large": records}).status_code == 200
    lines = (f"X-Session-ID: {session}", "Connection: close", "Content-Length: 9")
    with peer(service.url, receive_buffer=65536) as one:
        one.send(head(f"/_/sessions/{session}/export", *lines))
        began, size = time.monotonic(), 0
        while data := one.connection.recv(65_536):
            size += len(data)
            if time.monotonic() - began < 4 * BODY:
                select.select([], [], [], 0.02)  # what a slow network does
    assert size > 18_000_000


@pytest.mark.parametrize("line", ["Connection: keep-alive", "Connection: close"])
def test_who_was_answered_early_keeps_nobody_out(service: Service, line: str) -> None:
    """The rest of their bodies is no request in work."""
    with ExitStack() as stack:
        for _ in range(MANY):
            one = stack.enter_context(peer(service.url))
            one.send(head("/health", line, "Content-Length: 999999999", method="POST"))
            assert one.answer().code == "method_not_allowed"
        for _ in range(MANY):
            last = stack.enter_context(peer(service.url))
            last.send(head())
            assert last.answer().status == 200
