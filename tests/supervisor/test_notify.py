"""What a service manager does not take at once, it is told again."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.supervisor.notify import Notifier
from service.supervisor.report import Report


@pytest.fixture
def path() -> Iterator[str]:
    """Of a manager's socket, short enough for unix(7)."""
    yield (name := f"/tmp/lars-notify-{os.getpid()}")
    Path(name).unlink(missing_ok=True)


def heard(manager: socket.socket) -> list[str]:
    """All that lies in its queue."""
    messages = []
    manager.setblocking(False)
    while True:
        try:
            messages.append(manager.recv(1000).decode())
        except BlockingIOError:
            return messages


def test_a_manager_that_is_away_hears_the_last_word_when_it_is_back(path: str) -> None:
    report = Report(Notifier({"NOTIFY_SOCKET": path}), "http://x", (1, 1))
    report.counted(0, 0)
    report.renewing()
    report.ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        report.counted(1, 1)
        status = "STATUS=serving at http://x: 1 of 1 fronts, 1 of 1 zygotes"
        assert heard(manager) == ["READY=1", status]
        report.counted(1, 1)
        assert heard(manager) == []
    report.close()


def test_a_manager_that_does_not_read_is_not_waited_for(path: str) -> None:
    """Its queue is full: unix(7), net.unix.max_dgram_qlen."""
    notifier = Notifier({"NOTIFY_SOCKET": path})
    report = Report(notifier, "http://x", (1, 1))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        while notifier.tell("WATCHDOG=1"):
            pass
        report.ready()
        assert set(heard(manager)) == {"WATCHDOG=1"}
        report.counted(1, 1)
        assert heard(manager)[0] == "READY=1"
    report.close()


def test_without_a_manager_nothing_is_owed() -> None:
    report = Report(Notifier({}), "http://x", (1, 1))
    report.ready()
    assert report._owed == ()
    assert report.watchdog is None
