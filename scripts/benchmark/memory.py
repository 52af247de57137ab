"""Memory of the service's processes, as the host's kernel counts it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_SETTLE_SECONDS = 10.0
_REST_SECONDS = 0.5
_POLL_SECONDS = 0.02


class NotReadable(Exception):
    """The kernel does not let this user read another process's memory map."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: ``private`` would be freed if the process ended, ``resident`` is all that it maps in memory."""

    private: int
    resident: int


def memory_of(pid: int) -> Memory:
    """proc_pid_smaps(5). NotReadable without the right to trace the process (root has it)."""
    try:
        return parse_rollup((_PROC / str(pid) / "smaps_rollup").read_text())
    except PermissionError as error:
        raise NotReadable(f"smaps_rollup of process {pid} needs root") from error


def parse_rollup(text: str) -> Memory:
    """From the text of an ``smaps_rollup``."""
    fields = {}
    for line in text.splitlines()[1:]:
        name, _, value = line.partition(":")
        fields[name] = int(value.split()[0]) * 1024
    return Memory(fields["Private_Clean"] + fields["Private_Dirty"], fields["Rss"])


def children(pid: int) -> list[int]:
    """proc_pid_task_children(5): the children of a single-threaded process."""
    return [int(child) for child in (_PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]


@dataclass(frozen=True, slots=True)
class Family:
    """Process ids of a service at rest."""

    fronts: list[int]
    zygotes: list[int]
    workers: list[int]


def family(supervisor: int) -> Family:
    """Once its idle workers are there, which is when no more come. TimeoutError when that does not happen."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    seen, since = _look(supervisor), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        now = _look(supervisor)
        if now != seen:
            seen, since = now, time.monotonic()
        elif seen.workers and time.monotonic() - since >= _REST_SECONDS:
            return seen
    raise TimeoutError(f"the service did not come to rest within {_SETTLE_SECONDS:g} s")


def _look(supervisor: int) -> Family:
    zygotes = [pid for pid in children(supervisor) if "boot.py" in _command_line(pid)]
    fronts = [pid for pid in children(supervisor) if pid not in zygotes]
    return Family(fronts, zygotes, [worker for zygote in zygotes for worker in children(zygote)])


def _command_line(pid: int) -> str:
    return (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace")
