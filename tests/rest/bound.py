"""Which processes hold a session's data, and a way to keep one waiting for it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sandbox_runtime.domain import Session
from service.access.principal import ANONYMOUS
from service.sessions.directory import DATA, digest_of
from tests.rest.clients import session_id
from tests.supervisor.processes import Process, process

_POLLS = 5  # sleeps of a worker that can only be SQLite's, for the lock that another has


def data_file(root: Path, session: str) -> Path:
    """The file of an anonymous caller's session of this id below a data root."""
    digest = digest_of(Session(ANONYMOUS, session))
    return root / "sessions" / digest[:2] / digest[2:] / DATA


def holders(*files: Path) -> list[Process]:
    """Living processes but this one that have one of these databases open: as long as they do, they hold
    SQLite's shared lock, which proc_locks(5) shows to everyone."""
    inodes = {str(file.stat().st_ino) for file in files}
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    pids = {int(lock[4]) for lock in locks if lock[5].rpartition(":")[2] in inodes}
    return [each for pid in sorted(pids - {os.getpid()}) if (each := _living(pid)) is not None]


@contextmanager
def write_locked(directory: Path, name: str) -> Iterator[None]:
    """Within, whoever writes to the session of this name waits. ``directory``: the service's."""
    file = data_file(directory / "data", session_id(name))
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


class Waiting:
    """Tells when a worker that was at rest has come to wait for a lock."""

    def __init__(self, worker: Process) -> None:
        self._worker = worker
        self._before = _sleeps(worker)

    def __call__(self) -> bool:
        return _sleeps(self._worker) >= self._before + _POLLS


def _sleeps(worker: Process) -> int:
    status = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches:"))


def _living(pid: int) -> Process | None:
    try:
        found = process(pid)
    except AssertionError:
        return None
    return found if found.lives else None
