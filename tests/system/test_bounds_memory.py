"""What a front keeps for callers who are slow is bounded, however many they are, and given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.service_process import Service, running_service
from tests.supervisor.serving import wait_until
from tests.system.raw import Peer, front_of, head, peer

MIB = 1 << 20
MANY = 24
BODY = 4 * MIB
OUTPUT = 500_000  # of each stream; as JSON six times as long
ANSWER = 12 * OUTPUT
BUFFER = 16 * MIB
START = b'{"code":"result = len(data)","data":"'
JSON = "Content-Type: application/json"
# Beside what is kept: copies of one body or answer on their way, and the allocator's own.
SLACK = 48 * MIB


def settings(buffer: int) -> dict[str, str]:
    return {
        "LARS_MAX_BODY_BYTES": str(BODY),
        "LARS_BUFFER_BYTES": str(buffer),
        "LARS_MAX_WORKERS": "4",
        "LARS_POOL_SIZE": "4",
        "LARS_LOG_LEVEL": "warning",
    }


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service"), settings(BUFFER)) as service:
        yield service


def resident(service: Service) -> int:
    """Bytes of its front, proc_pid_statm(5)."""
    return int(Path(f"/proc/{front_of(service)}/statm").read_text().split()[1]) * 4096


def counted(service: Service, name: str) -> float:
    with service.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def upload(stack: ExitStack, service: Service) -> Peer:
    """A body that stops just before its end."""
    one = stack.enter_context(peer(service.url))
    one.send(head("/execute", JSON, f"Content-Length: {BODY}", method="POST") + START + b" " * (BODY - 99))
    return one


def reader(stack: ExitStack, service: Service) -> Peer:
    """Who asks for a long answer, and takes none of it."""
    code = f"import sys\nfor stream in sys.stdout, sys.stderr: stream.write(chr(1) * {OUTPUT})"
    one = stack.enter_context(peer(service.url, receive_buffer=4096))
    body = b'{"code":%s}' % repr(code).replace('"', "'").replace("'", '"').encode()
    one.send(head("/execute", JSON, f"Content-Length: {len(body)}", method="POST") + body)
    return one


def test_bodies_that_do_not_end(service: Service) -> None:
    """The oldest are given up and told so, the newest can still be ended."""
    before = resident(service)
    with ExitStack() as stack:
        peers = [upload(stack, service) for _ in range(MANY)]
        refused = [one.answer() for one in peers[: MANY - BUFFER // BODY]]
        assert {(answer.status, answer.code) for answer in refused} == {(503, "overloaded")}
        assert "LARS_BUFFER_BYTES" in refused[0].json["detail"]
        assert resident(service) - before < BUFFER + SLACK
        peers[-1].send(b" " * (99 - len(START) - 2) + b'"}')
        assert peers[-1].answer().status == 200
    assert counted(service, 'lars_buffers_cut_off_total{of="bodies"}') == len(refused)
    wait_until(lambda: counted(service, "lars_buffer_bytes") == 0, "nothing is kept")
    wait_until(lambda: resident(service) - before < SLACK, "the memory is given back")


def test_answers_that_are_not_taken(service: Service) -> None:
    """The oldest are cut off, the newest can be read to its end."""
    before = resident(service)
    cut = counted(service, 'lars_buffers_cut_off_total{of="answers"}')
    with ExitStack() as stack:
        for number in range(MANY - 1):
            wait_until(partial(_has_begun, reader(stack, service)), f"answer {number} begins")
        last = reader(stack, service)
        wait_until(lambda: _has_begun(last), "the last one begins")
        assert resident(service) - before < BUFFER + SLACK
        assert counted(service, 'lars_buffers_cut_off_total{of="answers"}') - cut >= MANY - BUFFER // (
            ANSWER // 2
        )
        assert len(last.answer().json["stdout"]) == OUTPUT
    wait_until(lambda: counted(service, "lars_buffer_bytes") == 0, "nothing is kept")
    wait_until(lambda: resident(service) - before < SLACK, "the memory is given back")


def _has_begun(one: Peer) -> bool:
    return bool(one.connection.recv(1, 2))  # MSG_PEEK


def test_without_the_bound_they_take_more(tmp_path: Path) -> None:
    """The same bodies, where nothing has to give way."""
    with running_service(tmp_path, settings(1 << 30)) as service, ExitStack() as stack:
        before = resident(service)
        for _ in range(MANY):
            upload(stack, service)
        wait_until(lambda: resident(service) - before > BUFFER + SLACK, "it grows")


def test_many_large_bodies_keep_nobody_out(service: Service) -> None:
    """Arrays are the costliest to parse. They wait for their turn, so that the front goes on looking for
    changed keys: it lets nobody in when it cannot for five seconds."""
    data = b'{"code":"result = len(data)","timeout":60,"data":[' + b"[]," * ((BODY - 100) // 3) + b"0]}"
    request = head("/execute", JSON, f"Content-Length: {len(data)}", method="POST") + data
    with ExitStack() as stack:
        peers = [stack.enter_context(peer(service.url)) for _ in range(4)]
        for one in peers:
            one.send(request)
        assert service.ran("result = 42")["result"] == 42
        answers = [one.answer() for one in peers]
    assert {answer.status for answer in answers} == {200}
    assert {answer.json["result"] for answer in answers} == {(BODY - 100) // 3 + 1}
