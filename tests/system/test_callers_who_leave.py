"""A caller who leaves is noticed, whatever was sent behind the request that is in work."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.service_process import Service, running_service
from tests.system.raw import Peer, head, peer

LATEST = 5.0  # seconds: less than the program sleeps


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all."""
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


def _leave(one: Peer) -> None:
    one.connection.close()


def _say_no_more(one: Peer) -> None:
    one.connection.shutdown(socket.SHUT_WR)
    assert one.connection.recv(1) == b""


@pytest.mark.parametrize("behind", [b"", head(), head() * 9], ids=["alone", "one behind", "many behind"])
@pytest.mark.parametrize("leave", [_leave, _say_no_more])
def test_a_caller_who_leaves_ends_the_program(
    service: Service, request: pytest.FixtureRequest, behind: bytes, leave: Callable[[Peer], None]
) -> None:
    """Whatever was sent behind the request, and however the caller leaves."""
    name = f"left-{abs(hash(request.node.nodeid))}"
    body = json.dumps({"code": "import time; time.sleep(8)"}).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}", f"X-Request-ID: {name}")
    with peer(service.url) as one:
        one.send(head("/execute", *lines, "Expect: 100-continue", method="POST"))
        assert one.connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        one.send(body + behind)
        select.select([], [], [], 0.1)  # what a caller does who gives up
        leave(one)
        (line,) = service.requests_logged(name)
    assert (line["status"], line["disconnected"]) == (499, True)
    assert line["total_ms"] < 1000 * LATEST
    assert not [each for each in service.log_lines() if each["level"] == "error"]
