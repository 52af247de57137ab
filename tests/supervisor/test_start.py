"""What cannot start ends with one sentence and exit status 1, and is not tried for ever."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.supervisor.load import Load
from tests.supervisor.processes import children, tree
from tests.supervisor.serving import ROOT, Service, running, serving, wait_until
from tests.support import BASE_PYTHON

SERVE = (sys.executable, "-m", "service", "serve", "--port", "0")
LATE_FRONT = (sys.executable, str(ROOT / "tests" / "supervisor" / "late_front.py"))
BARE = (sys.executable, str(ROOT / "tests" / "supervisor" / "bare.py"))
NO_SANDBOX = "lars: the sandbox could not start: "
HELLO_AND_DEATH = """\
import json, os, socket, sys
sys.path[:0] = sys.argv[-2:]
from sandbox_runtime.layers import Layer, LayerState
control = socket.socket(fileno=int(sys.argv[7]))
pid = os.fork()
if pid:
    control.send(json.dumps({"t": "launched", "pid": pid}).encode())
    os._exit(0)
control.recv(1 << 20) == b"go" or control.recv(16)
layers = [LayerState(layer, True).as_json() for layer in Layer]
try:
    control.send(json.dumps({"t": "hello", "layers": layers, "modules": []}).encode())
except BrokenPipeError:  # the other one was enough to end the service
    os._exit(0)
"""


def bare(directory: Path, case: str, **variables: str) -> AbstractContextManager[Service]:
    return running((*BARE, case), directory, **variables)


def script(path: Path, interpreter: str, text: str) -> str:
    path.write_text(f"#!{interpreter}\n{text}")
    path.chmod(0o755)
    return str(path)


def last_line(service: Service) -> str:
    return service.errors.splitlines()[-1]


def test_a_floor_that_the_host_does_not_reach_is_one_sentence(tmp_path: Path) -> None:
    with running(SERVE, tmp_path, LARS_SANDBOX_FLOOR="cgroup_limits") as service:
        assert service.popen.wait(20) == 1
        assert re.fullmatch(
            NO_SANDBOX + r"isolation is below LARS_SANDBOX_FLOOR: cgroup_limits: .+ \(.+\)\n",
            service.errors,
        ), service.errors
        assert service.output == ""


def test_a_busy_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with running((*SERVE[:-1], port), tmp_path) as service:
            assert service.popen.wait(20) == 1
            assert service.errors == (
                f"lars: port {port} on 127.0.0.1 is in use; "
                "stop what holds it, or choose another with --port\n"
            )


def under(shell: str) -> tuple[str, ...]:
    """``lars serve`` where the shell has run this."""
    return ("bash", "-c", f'{shell}; exec "$@"', "bash", *SERVE)


def test_limits_below_what_a_program_may_have(tmp_path: Path) -> None:
    """What no worker could be given is known before one has died of it."""
    with running(under("ulimit -n 200; ulimit -u 60"), tmp_path) as service:
        assert service.popen.wait(20) == 1
        assert service.errors == (
            "lars: LARS_MAX_OPEN_FILES=256 is more than this process may give, 200; raise that limit "
            "(ulimit -Hn), or lower LARS_MAX_OPEN_FILES\nLARS_MAX_THREADS=64 is more than this process may "
            "give, 60; raise that limit (ulimit -Hu), or lower LARS_MAX_THREADS\n"
        )


def test_no_descriptors_for_the_first_child_is_one_sentence(tmp_path: Path) -> None:
    with running(under("ulimit -n 16"), tmp_path, LARS_MAX_OPEN_FILES="16") as service:
        assert service.popen.wait(20) == 1
        assert service.errors == (
            "lars: the child that sees to the control database could not start: "
            "[Errno 24] Too many open files\n"
        )


def test_closed_streams(tmp_path: Path) -> None:
    """The listening socket takes the place of none of them."""
    with running(under("exec <&-"), tmp_path) as service:
        service.wait_ready()
        assert service.answers()
        assert service.stop() == 0
    with running(under("exec <&- >&-"), tmp_path) as service:
        wait_until(lambda: service.events("open_without_keys"), "ready")
        assert service.stop() == 0


def test_an_announcement_that_cannot_be_written(tmp_path: Path) -> None:
    """A full disk, or a reader that has left, ends no service."""
    with running(under("exec >/dev/full"), tmp_path) as service:
        wait_until(lambda: service.events("open_without_keys"), "ready")
        assert [line["reason"] for line in service.events("announcement_not_written")] == [
            "[Errno 28] No space left on device"
        ]
        assert service.stop() == 0


def test_blocked_signals(tmp_path: Path) -> None:
    """Who starts it may block what it lives by, and what ends it."""
    block = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"
    exec_rest = "os.execv(sys.argv[1], sys.argv[1:])"
    with running((sys.executable, "-c", f"{block}; {exec_rest}", *SERVE), tmp_path) as service:
        service.wait_ready()
        assert service.answers()
        assert service.stop() == 0


def test_a_zygote_that_cannot_enter_its_jail_is_one_sentence(tmp_path: Path) -> None:
    with bare(tmp_path, "zygote filter") as service:
        assert service.popen.wait(20) == 1
        assert re.fullmatch(
            r"lars: the sandbox could not start: JailError: seccomp of the zygote: .+\n", service.errors
        ), service.errors


def test_workers_that_cannot_enter_their_jail_end_the_start(tmp_path: Path) -> None:
    with bare(tmp_path, "worker filter", LARS_ZYGOTES="1") as service:
        assert service.popen.wait(20) == 1
        assert last_line(service) == "lars: no worker could run a program; the lines above name the step"
        failures = service.events("worker_start_failed")
        assert {failure["step"] for failure in failures} == {"seccomp of the worker"}
        assert [failure["failures"] for failure in failures] == [1, 2, 3, 4, 5]


def test_a_base_python_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with bare(tmp_path, "other python", FAKE_PYTHON=str(tmp_path / "python")) as service:
        assert service.popen.wait(20) == 1
        assert service.errors == (
            "lars: the sandbox could not start: the base Python cannot be run: "
            f"[Errno 2] No such file or directory: '{tmp_path}/python'\n"
        )


def test_a_base_python_that_ends_at_once_is_one_sentence(tmp_path: Path) -> None:
    with bare(tmp_path, "other python", FAKE_PYTHON="/bin/false") as service:
        assert service.popen.wait(20) == 1
        assert re.fullmatch(r"lars: the sandbox could not start: .*the zygote.*\n", service.errors), (
            service.errors
        )


def test_a_zygote_that_says_hello_and_dies_is_a_failure_to_start(tmp_path: Path) -> None:
    fake = script(tmp_path / "python", sys.executable, HELLO_AND_DEATH)
    with bare(tmp_path, "other python", FAKE_PYTHON=fake) as service:
        assert service.popen.wait(20) == 1
        assert re.fullmatch(
            NO_SANDBOX + r"it ended with exit code (0|None) before it had run a program",
            last_line(service),
        ), service.errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_zygote_that_hangs_as_it_starts_does_not_make_the_supervisor_deaf(
    number: signal.Signals, tmp_path: Path
) -> None:
    fake = script(tmp_path / "python", "/bin/sh", "exec sleep 60\n")
    with bare(tmp_path, "other python", FAKE_PYTHON=fake, LARS_ZYGOTES="1") as service:
        wait_until(lambda: _sleeps(service), "the zygote hangs")
        service.popen.send_signal(number)
        assert service.popen.wait(2) == 0
        assert service.errors == ""


def test_a_base_python_that_goes_away_later_is_tried_a_few_times_and_then_ends_the_service(
    tmp_path: Path,
) -> None:
    link = tmp_path / "python"
    link.symlink_to(BASE_PYTHON)
    with bare(tmp_path, "other python", FAKE_PYTHON=str(link), LARS_ZYGOTES="1") as service:
        service.wait_ready()
        link.unlink()
        service.zygotes[0].kill()
        assert service.popen.wait(20) == 1
        assert len(service.events("zygote_died")) == 1
        assert [line["restart_in"] for line in service.events("zygote_could_not_start")] == [0, 0, 0.2, 0.4]
        assert last_line(service).startswith(
            "lars: the sandbox could not start: the base Python cannot be run:"
        )


def test_while_one_zygote_serves_another_that_cannot_start_is_tried_for_ever(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(BASE_PYTHON)
    with bare(tmp_path, "other python", FAKE_PYTHON=str(link), LARS_ZYGOTES="2") as service:
        service.wait_ready()
        wait_until(lambda: len(service.zygotes) == 2, "both stand")
        link.unlink()
        service.zygotes[0].kill()
        wait_until(lambda: len(service.events("zygote_could_not_start")) == 5, "it was tried five times")
        waits = [line["restart_in"] for line in service.events("zygote_could_not_start")]
        assert waits == [0, 0, 0.2, 0.4, 5.0]
        assert service.popen.poll() is None
        assert len(service.zygotes) == 1


def test_a_front_that_cannot_start_is_tried_a_few_times_and_then_ends_the_service(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "uvicorn.py").write_text("raise SystemExit(9)\n")
    with running(SERVE, tmp_path, PYTHONPATH=str(tmp_path / "broken")) as service:
        assert service.popen.wait(20) == 1
        assert [line["restart_in"] for line in service.events("front_could_not_start")] == [
            0,
            0,
            0.2,
            0.4,
            None,
        ]
        assert last_line(service) == "lars: the HTTP front could not start; its last lines above say why"


def test_ready_is_when_every_front_serves_and_one_that_hangs_before_is_replaced(tmp_path: Path) -> None:
    with running((*LATE_FRONT, "1", "8"), tmp_path, LARS_FRONTS="2") as service:
        wait_until(lambda: service.events("front_could_not_start"), "it is noticed")
        assert service.output == ""
        (line,) = service.events("front_could_not_start")
        assert line["reason"] == "it did not say hello within 8 s"
        wait_until(lambda: "ready at" in service.output, "it is replaced")
        assert len(service.fronts) == 2


def test_fronts_that_all_hang_before_they_serve_end_the_service(tmp_path: Path) -> None:
    with running((*LATE_FRONT, "5", "1"), tmp_path, LARS_FRONTS="1") as service:
        assert service.popen.wait(30) == 1
        assert len(service.events("front_could_not_start")) == 5
        assert last_line(service) == "lars: the HTTP front could not start; its last lines above say why"


@contextmanager
def data_root_held(directory: Path) -> Iterator[ExitStack]:
    """Whoever would make a control database there waits, until the stack is closed."""
    (directory / "data").mkdir(mode=0o700)
    descriptor = os.open(directory / "data", os.O_RDONLY | os.O_DIRECTORY)
    with ExitStack() as hold:
        hold.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield hold


def wait_for_all_but_the_database(service: Service) -> None:
    """Zygote and front are there, and the front waits for leave to serve."""
    wait_until(lambda: len(service.zygotes) == 1, "a zygote")
    wait_until(lambda: [front for front in service.fronts if front.receives], "a front that waits")


def test_no_front_serves_before_the_control_database_is_there(tmp_path: Path) -> None:
    with data_root_held(tmp_path) as hold, running(SERVE, tmp_path, LARS_ZYGOTES="1") as service:
        wait_for_all_but_the_database(service)
        assert service.workers == []
        assert service.output == ""
        hold.close()
        service.wait_ready()
        assert service.answers()
        assert service.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_that_waits_for_its_database_can_be_stopped(number: signal.Signals, tmp_path: Path) -> None:
    with data_root_held(tmp_path), running(SERVE, tmp_path, LARS_ZYGOTES="1") as service:
        wait_for_all_but_the_database(service)
        members = tree(service.supervisor)
        assert any("prepare_child" in member.command for member in members)
        assert service.stop(number) == 0
        assert [member.command for member in members if member.lives] == []
        assert (service.output, service.errors) == ("", "")


def test_a_control_database_that_is_refused_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "control.db").write_bytes(b"no database at all, but there" * 100)
    with running(SERVE, tmp_path) as service:
        members = tree(service.supervisor)
        assert service.popen.wait(20) == 1
        assert re.fullmatch(
            r"lars: SQLite file \S+/control\.db: file is not a database; "
            r"check LARS_DATABASE_URL and LARS_DATA_ROOT\n",
            service.errors,
        ), service.errors
        assert service.output == ""
        assert [member.command for member in members if member.lives] == []


async def test_zygotes_that_are_worn_are_replaced_without_a_failed_request(tmp_path: Path) -> None:
    with serving(tmp_path, LARS_ZYGOTE_MAX_FORKS="60") as service:
        first = set(service.zygotes)
        load = Load(service.url)

        def replaced() -> int:
            return len({line["zygote"] for line in service.events("zygote_gone")})

        await load.strike(lambda: None, before=1, after=200, until=lambda: replaced() >= 4)
        assert load.failures() == {}
        wait_until(lambda: not any(zygote.lives for zygote in first), "the first zygotes have left")
        wait_until(lambda: len(service.zygotes) == 2, "two zygotes stand")
        assert service.events("zygote_died") == []


def _sleeps(service: Service) -> bool:
    return any(child.command.startswith("sleep 60") for child in children(service.supervisor))
