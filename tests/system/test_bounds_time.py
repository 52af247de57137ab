"""Peers that take their time: each holds its connection only as long as the settings say."""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.service_process import Service, running_service
from tests.support import wait_until
from tests.system.raw import Peer, ended_after, front_of, head, peer

HEADER, BODY, WRITE = 0.3, 0.4, 0.4
LATEST = 5.0  # seconds: far more than any of them, far less than what a trickle would last
JSON = ("Content-Type: application/json",)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that has little patience."""
    settings = {
        "LARS_HEADER_SECONDS": str(HEADER),
        "LARS_BODY_SECONDS": str(BODY),
        "LARS_WRITE_SECONDS": str(WRITE),
        "LARS_SESSION_QUOTA": "64m",
    }
    with running_service(tmp_path_factory.mktemp("service"), settings) as service:
        yield service


def readable(one: Peer, seconds: float) -> bool:
    """Whether something comes within so many seconds."""
    return bool(select.select([one.connection], [], [], seconds)[0])


def trickle(one: Peer, pieces: Iterable[bytes], pause: float = 0.05) -> None:
    """Send one after the other, with a pause after each, until there is an answer."""
    for piece in pieces:
        one.send(piece)
        if readable(one, pause):
            return
    raise AssertionError("all was taken")


def test_a_connection_that_says_nothing(service: Service) -> None:
    """It is closed, without a word: nothing was asked."""
    with peer(service.url) as one:
        text, seconds = ended_after(one, time.monotonic())
    assert text == b""
    assert HEADER * 0.9 < seconds < LATEST


@pytest.mark.parametrize("begin", [b"G", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: "])
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_head_that_does_not_end(service: Service, begin: bytes, goes_on: bool) -> None:
    """408, however many bytes still come."""
    began = time.monotonic()
    with peer(service.url) as one:
        one.send(begin)
        if goes_on:
            trickle(one, [b"E"] + [b"T"] * 400 if begin == b"G" else [b"a"] * 400)
        answer = one.answer()
        rest, seconds = ended_after(one, began)
    if goes_on and begin == b"G":
        assert answer.code == "bad_request"  # GETT
    else:
        assert (answer.status, answer.code, rest) == (408, "request_timeout", b"")
        assert "LARS_HEADER_SECONDS" in answer.json["detail"]
        assert HEADER * 0.9 < seconds < LATEST


def test_blank_lines_are_no_request(service: Service) -> None:
    """A peer that sends nothing else is closed as one that sends nothing."""
    with peer(service.url) as one:
        trickle(one, [b"\r\n"] * 400)
        assert one.rest() == b""


def test_an_idle_connection_is_kept(service: Service) -> None:
    """Between requests there is more time; the next head has its own again."""
    with peer(service.url) as one:
        one.send(head())
        assert one.answer().status == 200
        assert not readable(one, 2 * HEADER)
        one.send(head())
        assert one.answer().status == 200
        one.send(b"GET /")
        assert one.answer().code == "request_timeout"


@pytest.mark.parametrize(
    ("length", "begin", "pieces"),
    [
        ("Content-Length: 1000000", b"", []),
        ("Content-Length: 1000000", b" " * 500_000, [b" "] * 400),
        ("Transfer-Encoding: chunked", b"", [b"1\r\n \r\n"] * 400),
        ("Transfer-Encoding: chunked", b"1;", [b"a"] * 400),
    ],
    ids=["nothing", "bytes after a fast beginning", "chunks", "an extension"],
)
def test_a_body_that_does_not_get_on(
    service: Service, length: str, begin: bytes, pieces: list[bytes]
) -> None:
    """408 with one line in the log."""
    began = time.monotonic()
    with peer(service.url) as one:
        one.send(head("/execute", *JSON, length, method="POST") + begin)
        if pieces:
            trickle(one, pieces)
        answer = one.answer()
        rest, seconds = ended_after(one, began)
    assert (answer.status, answer.code, rest) == (408, "request_timeout", b"")
    assert answer.headers["connection"] == "close"
    assert BODY * 0.9 < seconds < LATEST
    (line,) = service.requests_logged(answer.json["request_id"])
    assert (line["status"], line["route"], line["client"]) == (408, "/execute", "127.0.0.1")


def test_a_slow_body_that_gets_on(service: Service) -> None:
    """It may last longer than the time, at 1 KiB a second."""
    code = b'{"code": "result = 1"}'
    body = code + b" " * 12_000
    with peer(service.url) as one:
        began = time.monotonic()
        one.send(head("/execute", *JSON, f"Content-Length: {len(body)}", method="POST"))
        for at in range(0, len(body), 1000):
            one.send(body[at : at + 1000])
            readable(one, 0.1)
        assert one.answer().json["result"] == 1
    assert time.monotonic() - began > 2 * BODY


@pytest.mark.parametrize("pieces", [[], [b" "] * 400])
def test_a_body_that_was_answered_early(service: Service, pieces: list[bytes]) -> None:
    """The rest of it may come for a while; then the connection ends, without a second answer."""
    with peer(service.url) as one:
        one.send(head("/execute", *JSON, "Content-Length: 999999999", method="POST"))
        assert one.answer().code == "payload_too_large"
        if pieces:
            trickle(one, pieces)
        rest, _ = ended_after(one, time.monotonic())
    assert rest == b""


def test_a_flood_after_an_early_answer(service: Service) -> None:
    """What comes fast and without end is dropped, not kept, and ends as well."""
    front = front_of(service)
    before = resident(front)
    with peer(service.url) as one:
        one.send(head("/health", "Transfer-Encoding: chunked", method="POST"))
        assert one.answer().code == "method_not_allowed"
        chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        began, size = time.monotonic(), 0
        while takes(one, chunk):
            size += len(chunk)
            assert time.monotonic() - began < LATEST
    assert size > 100 << 20
    assert resident(front) - before < 20 << 20


def resident(pid: int) -> int:
    """Bytes, proc_pid_statm(5)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_application_may_take_its_time(service: Service) -> None:
    """A program that runs longer than all of them is answered, and the next request of the connection too."""
    code = json.dumps({"code": f"import time; time.sleep({3 * WRITE}); result = 1"}).encode()
    with peer(service.url) as one:
        one.send(head("/execute", *JSON, f"Content-Length: {len(code)}", method="POST") + code)
        assert one.answer().json["result"] == 1
        one.send(head())
        assert one.answer().status == 200


@pytest.fixture(scope="module")
def large(service: Service) -> str:
    """A session whose export has 24 MB, far more than sockets hold."""
    name = "a-session-with-many-bytes-in-it"
    records = [{"text": "x" * 900_000} for _ in range(27)]
    with service.client(headers={"X-Session-ID": name}) as client:
        answer = client.post(f"/_/sessions/{name}/import", json={"large": records})
        assert answer.status_code == 200, answer.text
    return name


def test_an_answer_that_is_not_read(service: Service, large: str) -> None:
    """The connection is reset, and the request is over."""
    request = head(f"/_/sessions/{large}/export", f"X-Session-ID: {large}", "X-Request-ID: unread")
    with peer(service.url, receive_buffer=4096) as one:
        one.send(request)
        began = time.monotonic()
        (line,) = service.requests_logged("unread")
        assert WRITE * 0.9 < time.monotonic() - began < LATEST
        assert (line["status"], line["disconnected"]) == (200, True)
        assert len(one.rest()) < 20_000_000


def test_an_answer_that_is_read_slowly(service: Service, large: str) -> None:
    """All of it comes, though it takes longer than the time."""
    request = head(f"/_/sessions/{large}/export", f"X-Session-ID: {large}", "Connection: close")
    with peer(service.url, receive_buffer=65536) as one:
        one.send(request)
        began, size = time.monotonic(), 0
        while data := one.connection.recv(16_384):
            size += len(data)
            if time.monotonic() - began < 4 * WRITE:
                select.select([], [], [], 0.02)  # what a slow network does
    assert size > 24_000_000


def test_answers_that_nobody_reads(service: Service) -> None:
    """A peer that asks on and on is read no further once its answers wait, and then closed."""
    with peer(service.url, receive_buffer=4096) as one:
        one.connection.settimeout(0.1)
        wait_until(lambda: not takes(one, head("/openapi.json") * 100), "a reset", LATEST)


def takes(one: Peer, data: bytes) -> bool:
    """Whether the connection is still there after as much as fits was sent."""
    try:
        one.connection.sendall(data)
    except TimeoutError:
        return True
    except ConnectionError:
        return False
    return True


def test_they_leave_nothing(service: Service) -> None:
    """All those connections are closed."""
    wait_until(lambda: sockets(service) == 0, "no connection left")


def sockets(service: Service) -> int:
    """Established connections of the service's port, tcp(7) state 01, proc_net(5)."""
    port = f":{int(service.url.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(port) and line[3] == "01" for line in lines)
