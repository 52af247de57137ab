"""What a service manager does for a service and hears of it: passed sockets, notifications, a watchdog."""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.supervisor.asking import HEALTH, answer, send
from tests.supervisor.processes import Process
from tests.supervisor.serving import PATIENCE, ROOT, Service, ending, environment, wait_until

# As systemd does: the socket is descriptor 3, and the variable has the pid of who is started.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
os.execv(sys.argv[2], sys.argv[2:])
"""
SERVE = (sys.executable, "-m", "service", "serve")
PACED = (sys.executable, str(ROOT / "tests" / "supervisor" / "paced.py"))
WATCHDOG = 0.4
TOLD = re.compile(r"STATUS=(starting|serving|serving, and replacing what serves,|ending .*,) at \S+: .*")


@contextmanager
def listening(family: socket.AddressFamily, address: str | tuple[str, int]) -> Iterator[socket.socket]:
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
        command = (sys.executable, "-c", ACTIVATE, str(number), *SERVE, "--port", "1")
        environ = environment(tmp_path, LARS_ZYGOTES="1", NOTIFY_SOCKET="/nowhere")
        with ending(Service(command, tmp_path, environ, (number,))) as service:
            service.wait_ready()
            assert service.url == f"http://127.0.0.1:{port}"
            assert service.answers()
            ours = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET")
            assert variables_of(service.supervisor) >= {*ours}
            # A zygote is not dumpable: only root may look into it.
            for child in (*service.fronts, *(service.zygotes if os.geteuid() == 0 else [])):
                assert variables_of(child).isdisjoint(ours)
            assert len(service.events("service_manager_not_told")) == 1, "and it serves all the same"
            assert service.stop() == 0
        waiting = send(port, HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        with ending(Service((*SERVE, "--fd", str(number)), tmp_path, environ, (number,))) as service:
            service.wait_ready()
            assert answer(waiting).startswith(b"HTTP/1.1 200 ")
            assert service.stop() == 0


class Manager:
    """The other end of NOTIFY_SOCKET: what has been heard there, and when."""

    def __init__(self, end: socket.socket) -> None:
        self.heard: list[tuple[float, str]] = []
        self._end = end
        self._read = 0
        self._reader = threading.Thread(target=self._hear)

    def __enter__(self) -> Manager:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._end.getsockname())
        self._reader.join()

    def _hear(self) -> None:
        while message := self._end.recv(4096):
            self.heard.append((time.monotonic(), message.decode()))

    def until(self, wanted: str) -> list[str]:
        """All messages that were not looked at yet, up to the next that begins like this."""
        found: list[str] = []

        def come() -> bool:
            while self._read < len(self.heard) and not (found and found[-1].startswith(wanted)):
                found.append(self.heard[self._read][1])
                self._read += 1
            return bool(found) and found[-1].startswith(wanted)

        wait_until(come, wanted)
        return found

    def signs_of_life(self, since: float) -> list[float]:
        """When WATCHDOG=1 came."""
        return [when for when, message in self.heard if message == "WATCHDOG=1" and when > since]


def test_the_manager_is_told_in_order_and_hears_no_lie_of_life(tmp_path: Path) -> None:
    path, name = str(tmp_path / "served"), f"\0lars-test-{os.getpid()}"
    with (
        listening(socket.AF_UNIX, path) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end,
    ):
        end.bind(name)
        command = (*PACED, "--fd", str(listener.fileno()), "--workers", "2")
        told = {"NOTIFY_SOCKET": f"@{name[1:]}", "WATCHDOG_USEC": str(round(WATCHDOG * 1e6))}
        environ = environment(tmp_path, LARS_ZYGOTES="1", **told)
        made = Service(command, tmp_path, environ, (listener.fileno(),))
        with Manager(end) as manager, ending(made) as service:
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
    both = f"STATUS=serving at {service.url}: 2 of 2"
    wait_until(lambda: any(message.startswith(both) for _, message in manager.heard), "both fronts")
    one, other = service.fronts
    began = time.monotonic()
    os.kill(one.pid, signal.SIGSTOP)
    wait_until(lambda: service.events("front_hung"), "it is noticed")
    assert [line["pid"] for line in service.events("front_hung")] == [one.pid]
    wait_until(lambda: len(service.fronts) == 2 and one not in service.fronts, "it is replaced")
    assert other in service.fronts
    manager.until(f"STATUS=serving at {service.url}: 2 of 2")
    times = (began, *manager.signs_of_life(began), time.monotonic())
    assert max(later - sooner for sooner, later in itertools.pairwise(times)) < 5 * WATCHDOG
    stopped = service.fronts
    began = time.monotonic()
    for front in stopped:
        os.kill(front.pid, signal.SIGSTOP)
    wait_until(lambda: time.monotonic() > began + 5 * WATCHDOG, "the manager would have killed it")
    assert manager.signs_of_life(began + 2 * WATCHDOG) == []
    for front in stopped:
        os.kill(front.pid, signal.SIGCONT)
    wait_until(lambda: manager.signs_of_life(began + 2 * WATCHDOG), "it lives again")


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
