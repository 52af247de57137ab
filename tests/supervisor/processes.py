"""Processes of a service as the kernel shows them. One is known by pid and start time, so a pid that is used
again is never taken for it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_RECVFROM = {"x86_64": 45, "aarch64": 207}  # asm/unistd.h


@dataclass(frozen=True, slots=True)
class Process:
    """One process. ``born``: clock ticks since boot."""

    pid: int
    born: int

    @property
    def lives(self) -> bool:
        """Whether it runs; a zombie does not."""
        fields = _stat(self.pid)
        return fields is not None and int(fields[19]) == self.born and fields[0] not in "ZX"

    @property
    def command(self) -> str:
        """Its command line, or nothing when it is gone."""
        try:
            return (_PROC / str(self.pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""

    @property
    def is_first_in_its_namespace(self) -> bool:
        """Whether it is PID 1 of a PID namespace below this one (proc_pid_status(5), NSpid)."""
        try:
            lines = (_PROC / str(self.pid) / "status").read_text().splitlines()
        except OSError:
            return False
        numbers = next(line.split()[1:] for line in lines if line.startswith("NSpid:"))
        return len(numbers) > 1 and numbers[-1] == "1"

    @property
    def threads(self) -> int:
        """How many it has; 0 when it is gone."""
        fields = _stat(self.pid)
        return int(fields[17]) if fields is not None else 0

    @property
    def receives(self) -> bool:
        """Whether it stands in recvfrom(2) (proc_pid_syscall(5))."""
        try:
            number = (_PROC / str(self.pid) / "syscall").read_text().split()[0]
        except OSError:
            return False
        return number == str(_RECVFROM.get(os.uname().machine))

    @property
    def descriptors(self) -> int:
        """How many it has open, but for those of the control database: a front has one to four connections
        to it, as many as it has needed at once."""
        names = (
            _link(_PROC / str(self.pid) / "fd" / name) for name in os.listdir(_PROC / str(self.pid) / "fd")
        )
        return sum("/control.db" not in name for name in names)

    @property
    def memory(self) -> int:
        """Its private dirty memory, bytes."""
        lines = (_PROC / str(self.pid) / "smaps_rollup").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))

    @property
    def cpu(self) -> float:
        """CPU seconds it has used."""
        fields = _stat(self.pid)
        assert fields is not None, f"process {self.pid} is gone"
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """SIGKILL."""
        assert self.lives, f"process {self.pid} is gone already"
        os.kill(self.pid, signal.SIGKILL)


def _link(path: Path) -> str:
    """Where a descriptor leads; "" when it is closed meanwhile."""
    try:
        return str(path.readlink())
    except FileNotFoundError:
        return ""


def process(pid: int) -> Process:
    """The living process of this pid."""
    fields = _stat(pid)
    assert fields is not None, f"there is no process {pid}"
    return Process(pid, int(fields[19]))


def children(parent: Process) -> list[Process]:
    """Its living children, by pid."""
    found = []
    for entry in os.listdir(_PROC):
        fields = _stat(int(entry)) if entry.isdigit() else None
        if fields is not None and int(fields[1]) == parent.pid and fields[0] not in "ZX":
            found.append(Process(int(entry), int(fields[19])))
    return sorted(found, key=lambda child: child.pid)


def tree(root: Process) -> list[Process]:
    """It and all its living descendants."""
    found = [root]
    for child in children(root):
        found += tree(child)
    return found


def _stat(pid: int) -> list[str] | None:
    """proc_pid_stat(5) from the third field on (state, ppid ...); None when there is no such process."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
