"""Connections are shared by the fronts, although the kernel gives each to the first that asks for it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.supervisor.processes import Process
from tests.supervisor.serving import serving, wait_until

MANY = 16
MOST = 12  # where nobody gives way, each is like the toss of a coin: so many are one case in 26


def test_who_has_fewer_connections_has_the_next(tmp_path: Path) -> None:
    """One front has all of them, because the other is stopped. When that goes on, it has most that come."""
    with serving(tmp_path, LARS_FRONTS="2", LARS_ZYGOTES="1") as service:
        (one, other), port = service.fronts, urlsplit(service.url).port or 0
        os.kill(other.pid, signal.SIGSTOP)
        with opened(port, (one, other)):
            assert taken(one, port) == MANY
            os.kill(other.pid, signal.SIGCONT)
            with opened(port, (one, other)):
                assert taken(other, port) >= MOST
        wait_until(lambda: taken(one, port) + taken(other, port) == 0, "all are closed")


@contextmanager
def opened(port: int, fronts: tuple[Process, Process]) -> Iterator[None]:
    """So many more connections, one after the other."""

    def all_taken() -> int:
        return sum(taken(front, port) for front in fronts)

    before = all_taken()
    with ExitStack() as stack:
        for number in range(before + 1, before + MANY + 1):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            wait_until(partial(_reaches, all_taken, number), "it is taken")
        yield


def _reaches(count: Callable[[], int], number: int) -> bool:
    return count() >= number


def taken(front: Process, port: int) -> int:
    """Its established connections on this port: proc_pid_net(5), socket inodes among its descriptors."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    ours = {row[9] for row in rows if int(row[1].partition(":")[2], 16) == port and row[3] == "01"}
    links = []
    for descriptor in Path(f"/proc/{front.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            links.append(os.readlink(descriptor))
    return sum(link.removeprefix("socket:[").removesuffix("]") in ours for link in links)
