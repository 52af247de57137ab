"""What a service manager does for a service and hears of it: sockets that are passed, notifications, a watchdog."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.supervisor.asking import HEALTH, answer, send
from tests.supervisor.processes import Process
from tests.supervisor.serving import PATIENCE, ROOT, Service, running, wait_until

# As systemd does: the socket is descriptor 3, and the variable has the pid of who is started.
ACTIVATED = ("sh", "-c", 'exec 3<&"$0"; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@"')
SERVE = (sys.executable, "-m", "service", "serve")
PACED = (sys.executable, str(ROOT / "tests" / "supervisor" / "paced.py"))
WATCHDOG = 0.4
TOLD = re.compile(r"STATUS=(starting|serving|serving, and replacing what serves,|ending .*,) at \S+: .*")


@contextmanager
def listening(family: socket.AddressFamily, address: object) -> Iterator[socket.socket]:
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen(64)
        yield listener


def variables_of(process: Process) -> set[str]:
    entries = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    return {entry.partition(b"=")[0].decode() for entry in entries}


def test_a_socket_that_is_passed_outlives_who_served_it(tmp_path: Path) -> None:
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as listener:
        port, number = listener.getsockname()[1], listener.fileno()
        command = (*ACTIVATED, str(number), *SERVE, "--port", "1", "--workers", "1")
        with running(command, tmp_path, (number,), LARS_ZYGOTES="1", NOTIFY_SOCKET="/nowhere") as service:
            service.wait_ready()
            assert service.url == f"http://127.0.0.1:{port}"
            assert service.answers()
            ours = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET")
            assert variables_of(service.supervisor) >= {*ours}
            for child in (*service.fronts, *service.zygotes):
                assert variables_of(child).isdisjoint(ours)
            assert len(service.events("service_manager_not_told")) == 1, "and it serves all the same"
            assert service.stop() == 0
        waiting = send(port, HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        with running((*SERVE, "--fd", str(number)), tmp_path, (number,), LARS_ZYGOTES="1") as service:
            service.wait_ready()
            assert answer(waiting).startswith(b"HTTP/1.1 200 ")
            assert service.stop() == 0


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.heard: list[tuple[float, str]] = []

    def hear(self, seconds: float = PATIENCE) -> str:
        """The next message. TimeoutError."""
        self.end.settimeout(seconds)
        message = self.end.recv(4096).decode()
        self.heard.append((time.monotonic(), message))
        return message

    def until(self, wanted: str, seconds: float = PATIENCE) -> list[str]:
        """All messages up to the next that begins like this."""
        messages, deadline = [self.hear()], time.monotonic() + seconds
        while not messages[-1].startswith(wanted):
            assert time.monotonic() < deadline, f"no {wanted}: {messages}"
            messages.append(self.hear())
        return messages

    def quiet(self, seconds: float) -> None:
        """Fails when WATCHDOG=1 comes within this time. Nothing else counts."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                assert self.hear(left) != "WATCHDOG=1"
            except TimeoutError:
                return


def test_the_manager_is_told_in_order_and_hears_no_lie_of_life(tmp_path: Path) -> None:
    path, name = str(tmp_path / "served"), f"\0lars-test-{os.getpid()}"
    with (
        listening(socket.AF_UNIX, path) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end,
    ):
        end.bind(name)
        manager = Manager(end)
        command = (*PACED, "--fd", str(listener.fileno()), "--workers", "2")
        told = {"NOTIFY_SOCKET": f"@{name[1:]}", "WATCHDOG_USEC": str(round(WATCHDOG * 1e6))}
        with running(command, tmp_path, (listener.fileno(),), LARS_ZYGOTES="1", **told) as service:
            begun = manager.until("READY=1")
            assert begun[0] == f"STATUS=starting at unix:{path}: 0 of 2 fronts, 0 of 1 zygotes"
            assert all(TOLD.fullmatch(message) for message in begun[:-1]), begun
            assert manager.until("WATCHDOG=1")
            served(service, path)
            hung_fronts(service, manager)
            renewed(service, manager)
            service.popen.send_signal(signal.SIGTERM)
            assert service.popen.wait(PATIENCE) == 0
            ended = manager.until("STOPPING=1")
            assert ended[-1] == "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000"
            assert all(each == "WATCHDOG=1" or TOLD.fullmatch(each) for each in ended[:-1]), ended


def served(service: Service, path: str) -> None:
    """On the socket of a path, as its curl line says."""
    assert f"curl -s --unix-socket {path} http://localhost/execute" in service.output
    with httpx.Client(transport=httpx.HTTPTransport(uds=path), timeout=PATIENCE) as client:
        ran = client.post("http://localhost/execute", json={"code": "result = 42"})
        assert ran.json()["result"] == 42


def hung_fronts(service: Service, manager: Manager) -> None:
    """One that hangs is replaced while the service lives; when all do, nobody says that it does."""
    wait_until(lambda: len(service.fronts) == 2, "both fronts")
    one, other = service.fronts
    os.kill(one.pid, signal.SIGSTOP)
    manager.until("WATCHDOG=1")
    wait_until(lambda: service.events("front_hung"), "it is noticed")
    assert [line["pid"] for line in service.events("front_hung")] == [one.pid]
    wait_until(lambda: len(service.fronts) == 2 and one not in service.fronts, "it is replaced")
    assert other in service.fronts
    manager.until("STATUS=serving at unix:%s: 2 of 2" % service.url.partition("unix:")[2])
    times = [when for when, message in manager.heard if message == "WATCHDOG=1"]
    assert max(later - sooner for sooner, later in zip(times, times[1:], strict=False)) < 5 * WATCHDOG
    fronts = service.fronts
    for front in fronts:
        os.kill(front.pid, signal.SIGSTOP)
    time.sleep(2 * WATCHDOG)
    while manager.end in select_now(manager.end):
        manager.hear()
    manager.quiet(2 * WATCHDOG)
    for front in fronts:
        os.kill(front.pid, signal.SIGCONT)
    manager.until("WATCHDOG=1")


def select_now(end: socket.socket) -> list[socket.socket]:
    import select

    return select.select([end], [], [], 0)[0]


def renewed(service: Service, manager: Manager) -> None:
    """RELOADING=1 has the time at which it was said, for systemd to know which READY=1 answers its signal."""
    before = time.monotonic_ns() // 1000
    service.popen.send_signal(signal.SIGHUP)
    reloading = manager.until("RELOADING=1")[-1]
    said = int(reloading.partition("\nMONOTONIC_USEC=")[2])
    assert before <= said <= time.monotonic_ns() // 1000
    between = manager.until("READY=1")[:-1]
    assert all(each == "WATCHDOG=1" or TOLD.fullmatch(each) for each in between), between
    assert len(service.events("renewal_ends")) == 1
