"""What cannot be replaced stays, when SIGHUP asks for it and when a process dies."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from tests.supervisor.serving import ROOT, running, serving, wait_until
from tests.support import BASE_PYTHON

BARE = (sys.executable, str(ROOT / "tests" / "supervisor" / "bare.py"))
# A launcher and a zygote that name a layer nobody has heard of; sandbox_runtime/zygote.py has what they say.
NEWER = """
import json, os, socket, sys
control = socket.socket(fileno=int(sys.argv[7]))
control.recv(1 << 20)
pid = os.fork()
if pid:
    control.send(json.dumps({"t": "launched", "pid": pid}).encode())
    os._exit(0)
control.recv(16)
layers = [{"layer": "of_tomorrow", "in_force": True, "reason": "", "remedy": ""}]
control.send(json.dumps({"t": "hello", "layers": layers, "modules": []}).encode())
control.recv(16)
"""


def test_a_front_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with serving(tmp_path, LARS_FRONTS="2", LARS_ZYGOTES="1", PYTHONPATH=str(other)) as service:
        fronts, zygotes = service.fronts, service.zygotes
        (other / "uvicorn.py").write_text("raise SystemExit(9)\n")
        service.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: service.events("renewal_failed"), "it fails")
        (failed,) = service.events("renewal_failed")
        assert (failed["not_replaced"], failed["reason"]) == (
            "a front",
            "it ended with exit code 9 before a program had run for it",
        )
        assert service.fronts == fronts
        assert service.zygotes != zygotes
        assert all(service.answers() for _ in range(8))
        (other / "uvicorn.py").unlink()
        service.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: service.events("renewal_ends"), "it succeeds")
        wait_until(lambda: len(service.fronts) == 2, "the former ones have ended")
        assert not set(service.fronts) & set(fronts)
        assert service.events("front_could_not_start") == []


def test_a_front_that_cannot_be_started_again_takes_no_other_with_it(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with serving(tmp_path, LARS_FRONTS="2", LARS_ZYGOTES="1", PYTHONPATH=str(other)) as service:
        one, left = service.fronts
        (other / "uvicorn.py").write_text("raise SystemExit(9)\n")
        os.kill(one.pid, signal.SIGKILL)
        failed = "front_could_not_start"
        wait_until(lambda: len(service.events(failed)) == 5, "it was tried five times")
        assert [line["restart_in"] for line in service.events(failed)] == [0, 0, 0.2, 0.4, 5.0]
        assert service.fronts == [left]
        assert service.answers()
        (other / "uvicorn.py").unlink()
        wait_until(lambda: len(service.fronts) == 2, "it is tried again")
        wait_until(lambda: all(service.answers() for _ in range(8)), "both serve")


def test_a_zygote_of_a_newer_release_is_not_believed(tmp_path: Path) -> None:
    """What is on the disk may say what the main process, which stays, does not know."""
    link = tmp_path / "python"
    link.symlink_to(BASE_PYTHON)
    command = (*BARE, "other python")
    with running(command, tmp_path, FAKE_PYTHON=str(link), LARS_ZYGOTES="1", LARS_POOL_SIZE="2") as service:
        service.wait_ready()
        before = service.fronts, service.zygotes
        newer = tmp_path / "newer"
        newer.write_text(f"#!{BASE_PYTHON}\n{NEWER}")
        newer.chmod(0o755)
        newer.replace(link)
        service.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: service.events("renewal_failed"), "it fails")
        (failed,) = service.events("renewal_failed")
        assert (failed["not_replaced"], "its hello is of another version" in failed["reason"]) == (
            "a zygote",
            True,
        )
        assert (service.fronts, service.zygotes) == before
        assert service.stop() == 0


def test_a_database_of_a_newer_version_keeps_everything_as_it_is(tmp_path: Path) -> None:
    with serving(tmp_path, LARS_FRONTS="1", LARS_ZYGOTES="1") as service:
        before = service.fronts, service.zygotes
        with closing(sqlite3.connect(tmp_path / "data" / "control.db")) as database:
            ((present,),) = database.execute("SELECT version_num FROM lars_version").fetchall()
            set_version(database, "9999_of_another_release")
            service.popen.send_signal(signal.SIGHUP)
            wait_until(lambda: service.events("renewal_failed"), "it fails")
            (failed,) = service.events("renewal_failed")
            assert failed["not_replaced"] == "the control database"
            assert "'9999_of_another_release', and this LARS knows up to" in failed["reason"]
            assert (service.fronts, service.zygotes) == before
            assert service.answers()
            set_version(database, present)
        service.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: service.events("renewal_ends"), "it succeeds")
        assert not set(service.zygotes) & set(before[1])


def set_version(database: sqlite3.Connection, version: str) -> None:
    with database:
        database.execute("UPDATE lars_version SET version_num = ?", (version,))


def test_a_zygote_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(BASE_PYTHON)
    command = (*BARE, "other python")
    with running(command, tmp_path, FAKE_PYTHON=str(link), LARS_ZYGOTES="1", LARS_POOL_SIZE="2") as service:
        service.wait_ready()
        before = service.fronts, service.zygotes
        link.unlink()
        service.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: service.events("renewal_failed"), "it fails")
        (failed,) = service.events("renewal_failed")
        assert failed["not_replaced"] == "a zygote"
        assert failed["reason"].startswith("the base Python cannot be run: [Errno 2] No such file")
        assert (service.fronts, service.zygotes) == before
        assert service.stop() == 0
