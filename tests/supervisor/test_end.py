"""However a service ends, nothing of it is left."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.supervisor.processes import tree
from tests.supervisor.serving import Service, serving, wait_until


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def left_behind(service: Service) -> list[str]:
    """Files of its working directory and its directory for temporary files, other than its streams and what
    is there to outlive it."""
    files = {path.name for path in service.directory.rglob("*")}
    kept = {
        "data",
        "audit.key",
        "control.db",
        "control.db-shm",
        "control.db-wal",
    }
    return sorted(files - {"stdout", "stderr", "tmp"} - kept)


def on_terminal(service: Service) -> None:
    """What Ctrl-C does: SIGINT to the foreground process group."""
    os.killpg(service.popen.pid, signal.SIGINT)


def sleeper(seconds: int) -> str:
    """A program that is known by its four threads."""
    return f"""
import threading, time
for _ in range(3):
    threading.Thread(target=time.sleep, args=({seconds},)).start()
"""


STOPS: dict[str, Callable[[Service], None]] = {
    "SIGTERM": lambda service: service.popen.send_signal(signal.SIGTERM),
    "SIGINT": lambda service: service.popen.send_signal(signal.SIGINT),
    "Ctrl-C": on_terminal,
}


@pytest.mark.parametrize("how", STOPS)
def test_a_service_told_to_stop_exits_0_and_leaves_nothing(how: str, tmp_path: Path) -> None:
    mounted = mounts()
    with serving(tmp_path / "service", LARS_FRONTS="2") as service:
        assert service.answers()
        members = tree(service.supervisor)
        assert len(members) > 5
        STOPS[how](service)
        assert service.popen.wait(20) == 0
        assert [member.command for member in members if member.lives] == []
        assert "Traceback" not in service.errors
        assert left_behind(service) == []
    assert mounts() == mounted


@pytest.mark.parametrize("how", STOPS)
def test_what_is_in_flight_is_answered_before_the_end(how: str, tmp_path: Path) -> None:
    with serving(tmp_path / "service") as service:
        answers: list[httpx.Response] = []
        client = threading.Thread(target=lambda: answers.append(service.execute(sleeper(1))))
        client.start()
        wait_until(lambda: any(worker.threads == 4 for worker in service.workers), "the program runs")
        STOPS[how](service)
        assert service.popen.wait(20) == 0
        client.join(20)
    assert [(answer.status_code, answer.json()["verdict"]) for answer in answers] == [(200, "ok")]


def test_requests_that_outlast_the_shutdown_time_are_cut_off(tmp_path: Path) -> None:
    with serving(tmp_path / "service", LARS_SHUTDOWN_SECONDS="1") as service:
        failures: list[str] = []

        def ask() -> None:
            try:
                failures.append(service.execute(sleeper(9)).text)
            except httpx.TransportError as error:
                failures.append(type(error).__name__)

        client = threading.Thread(target=ask)
        client.start()
        wait_until(lambda: any(worker.threads == 4 for worker in service.workers), "the program runs")
        members = tree(service.supervisor)
        service.popen.send_signal(signal.SIGTERM)
        assert service.popen.wait(6) == 0
        client.join(20)
        assert [member.command for member in members if member.lives] == []
        logged = [event["status"] for event in service.events("request") if event["route"] == "/execute"]
    assert len(failures) == 1
    assert '"worker_lost"' in failures[0]
    assert logged[-1] == 502


def test_a_service_that_stops_refuses_new_callers_at_once(tmp_path: Path) -> None:
    with serving(tmp_path / "service") as service:
        client = threading.Thread(target=service.execute, args=(sleeper(4),))
        client.start()
        wait_until(lambda: any(worker.threads == 4 for worker in service.workers), "the program runs")
        service.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: service.events("front_leaves"), "the front stops")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{service.url}/health", timeout=1)
        assert any(worker.threads == 4 for worker in service.workers), "the program must still run"
        client.join(20)
        assert service.popen.wait(20) == 0


def test_when_the_supervisor_is_killed_the_whole_tree_goes(tmp_path: Path) -> None:
    mounted = mounts()
    with serving(tmp_path / "service", LARS_FRONTS="2") as service:
        assert service.answers()
        members = tree(service.supervisor)
        service.supervisor.kill()
        wait_until(lambda: not any(member.lives for member in members), "the tree ends", 2.0)
        service.popen.wait(20)
        assert left_behind(service) == []
    assert mounts() == mounted


def test_a_terminal_that_hangs_up_is_harmless(tmp_path: Path) -> None:
    """What it does to what was begun with it; test_renewal has what becomes of the processes."""
    with serving(tmp_path / "service") as service:
        for _ in range(3):
            os.killpg(service.popen.pid, signal.SIGHUP)
            assert service.answers()
        assert service.stop() == 0


def test_two_services_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    with serving(tmp_path / "one") as one, serving(tmp_path / "two") as two:
        assert one.url != two.url
        assert one.answers()
        assert two.answers()
        kept = [two.supervisor, *two.fronts, *two.zygotes]
        one.supervisor.kill()
        one.popen.wait(20)
        assert two.answers()
        assert [two.supervisor, *two.fronts, *two.zygotes] == kept
        assert two.events("zygote_died") == two.events("front_died") == []


def test_a_supervisor_with_nothing_to_do_uses_no_cpu(tmp_path: Path) -> None:
    with serving(tmp_path / "service") as service:
        before = service.supervisor.cpu
        for _ in range(100):
            assert service.answers()
        assert service.supervisor.cpu - before < 0.05


# A front that begins while there is "hold" waits for "go", before its first line of ours.
HOLDING = """
import os, sys, time
here = os.path.dirname(__file__)
if "service.front" in sys.orig_argv and os.path.exists(f"{here}/hold"):
    while not os.path.exists(f"{here}/go"):
        time.sleep(0.01)
"""


def test_a_front_that_begins_as_its_supervisor_is_killed_serves_nobody(tmp_path: Path) -> None:
    """The kernel ends it with its parent from when it has asked for that, and not before."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text(HOLDING)
    with serving(tmp_path / "service", LARS_FRONTS="1", PYTHONPATH=str(other)) as service:
        (former,) = service.fronts
        (other / "hold").touch()
        os.kill(former.pid, signal.SIGKILL)
        wait_until(lambda: [front for front in service.fronts if front != former], "another begins")
        (front,) = service.fronts
        service.popen.kill()
        service.popen.wait(20)
        assert front.lives
        (other / "go").touch()
        wait_until(lambda: not front.lives, "it ends")
        assert service.events("front_leaves") == []
