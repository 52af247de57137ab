"""How many connections a front keeps, who makes room, and what happens when descriptors run out."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.http.limits import room
from service.settings import Settings
from tests.service_process import Service, running_service
from tests.support import wait_until
from tests.system.raw import Peer, front_of, head, peer

MANY = 8


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that keeps few connections."""
    settings = {"LARS_MAX_CONNECTIONS": str(MANY), "LARS_POOL_SIZE": "8", "LARS_HEADER_SECONDS": "60"}
    with running_service(tmp_path_factory.mktemp("service"), settings) as service:
        yield service


def connections(service: Service, count: int, stack: ExitStack) -> list[Peer]:
    """So many, one after the other, each of which has asked once."""
    peers = []
    for _ in range(count):
        peers.append(stack.enter_context(peer(service.url)))
        peers[-1].send(head())
        assert peers[-1].answer().status == 200
    return peers


def is_open(one: Peer) -> bool:
    """Whether it still answers."""
    one.send(head())
    return one.rest_or_answer() is not None


def begin(one: Peer, request: bytes) -> None:
    """Send it. On return the front has it in work."""
    first, _, body = request.partition(b"\r\n\r\n")
    one.send(first + b"\r\nExpect: 100-continue\r\n\r\n")
    assert one.connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    one.send(body)


def sleeping(seconds: float) -> bytes:
    """A request whose program sleeps."""
    code = json.dumps({"code": f"import time; time.sleep({seconds}); result = 1"}).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(code)}")
    return head("/execute", *lines, method="POST") + code


def test_the_one_that_waited_longest_makes_room(service: Service) -> None:
    """Idle ones and those with an unfinished head do, in the order in which they began to wait."""
    with ExitStack() as stack:
        first, second, third, *others = connections(service, MANY, stack)
        first.send(b"GET /hea")  # is no reason to stay
        second.send(head())  # it waits anew
        assert second.answer().status == 200
        connections(service, 2, stack)
        assert (first.rest(), third.rest()) == (b"", b"")
        assert all(is_open(one) for one in (second, *others))


def test_unfinished_heads_lock_nobody_out(service: Service) -> None:
    """However many there are, each new caller is answered."""
    with ExitStack() as stack:
        for _ in range(5):
            for _ in range(3 * MANY):
                stack.enter_context(peer(service.url)).send(b"GET /health HTTP/1.1\r\nX: ")
            assert service.ran("result = 1")["result"] == 1


def test_requests_in_work_are_not_cut_off(service: Service) -> None:
    """When they hold every connection, a new one is told so at once; they are all answered."""
    with ExitStack() as stack:
        busy = connections(service, MANY, stack)
        for one in busy:
            begin(one, sleeping(1.0))
        with peer(service.url) as one:
            one.send(head())
            answer = one.answer()
            assert one.rest() == b""
        assert (answer.status, answer.code) == (503, "too_many_connections")
        assert answer.headers["retry-after"] == "1"
        assert [one.answer().json["result"] for one in busy] == [1] * MANY
        with peer(service.url) as one:
            one.send(head())
            assert one.answer().status == 200


def test_a_body_that_is_coming_in_is_work(service: Service) -> None:
    """Its connection does not make room."""
    request = sleeping(0)
    with ExitStack() as stack:
        (one,) = connections(service, 1, stack)
        begin(one, request[:-5])
        connections(service, 2 * MANY, stack)
        one.send(request[-5:])
        assert one.answer().json["result"] == 1


def test_descriptors_run_out(tmp_path: Path) -> None:
    """Connections that cannot be taken are closed; the front lives, and serves when there are some again."""
    with running_service(tmp_path) as service:
        assert service.ran("result = 1")["result"] == 1
        front = front_of(service)
        before = resource.prlimit(front, resource.RLIMIT_NOFILE)
        taken = {int(path.name) for path in Path(f"/proc/{front}/fd").iterdir()}
        free = min(set(range(len(taken) + 1)) - taken)
        with ExitStack() as stack:
            stack.callback(resource.prlimit, front, resource.RLIMIT_NOFILE, before)
            resource.prlimit(front, resource.RLIMIT_NOFILE, (free + 3, before[1]))
            peers = [stack.enter_context(peer(service.url)) for _ in range(100)]
            for one in peers:
                one.send(head())
            answered = [one for one in peers if one.rest_or_answer() is not None]
            # The pool may give up its workers for want of descriptors: these are free then.
            assert len(answered) < len(peers) / 2
            for one in answered:
                one.send(head())
                assert one.answer().status == 200
        wait_until(lambda: service.execute("result = 1").status_code == 200, "service as before")
        assert front_of(service) == front


@pytest.mark.parametrize(
    ("descriptors", "connections"), [(1_048_576, 1_047_700), (4096, 3220), (1024, 148), (256, 16)]
)
def test_room(descriptors: int, connections: int) -> None:
    """What workers need is set aside; there is always some room."""
    assert room(Settings.from_env({}, cpus=4), descriptors) == connections
