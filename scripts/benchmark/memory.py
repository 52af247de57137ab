"""Memory of the service's processes, as the host's kernel counts it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_SETTLE_SECONDS = 10.0
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


def family(supervisor: int, expected_workers: int) -> Family:
    """Once the idle workers are there. TimeoutError when they do not come."""

    def look() -> Family | None:
        zygotes = [pid for pid in children(supervisor) if "boot.py" in _command_line(pid)]
        fronts = [pid for pid in children(supervisor) if pid not in zygotes]
        workers = [worker for zygote in zygotes for worker in children(zygote)]
        return Family(fronts, zygotes, workers) if len(workers) == expected_workers else None

    return _wait_for(look, f"{expected_workers} idle workers")


def _command_line(pid: int) -> str:
    return (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace")


def _wait_for(look: Callable[[], Family | None], what: str) -> Family:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"{what} did not come within {_SETTLE_SECONDS:g} s")
