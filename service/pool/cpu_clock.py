"""The CPU clock of another process, by its pidfd."""

from __future__ import annotations

import os
import time


def cpu_seconds(pidfd: int) -> float | None:
    """User plus system time of the process and all its threads; None when it has been reaped.

    clock_getcpuclockid(3): the clock id of a process is its inverted pid shifted left by three, with the
    type CPUCLOCK_SCHED (2) in the low bits. Reading it needs no permission.
    """
    pid = _pid_of(pidfd)
    if pid is None:
        return None
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return None


class CpuClock:
    """The same for a process that is asked about often: its pid is looked up once. Reading it costs one
    clock_gettime(2). Once the process has been reaped it may read nothing, or a later process of that pid."""

    def __init__(self, pidfd: int) -> None:
        pid = _pid_of(pidfd)
        self._clock = None if pid is None else ~pid << 3 | 2
        self._last = 0.0
        self.since_last()

    def since_last(self) -> float:
        """CPU seconds that it has used since it was asked last, or since this clock was made."""
        if self._clock is None:
            return 0.0
        try:
            now = time.clock_gettime(self._clock)
        except OSError:
            return 0.0
        used, self._last = now - self._last, now
        return max(0.0, used)


def _pid_of(pidfd: int) -> int | None:
    """proc_pid_fdinfo(5): a pidfd's ``Pid:`` line, -1 once the process has been reaped."""
    descriptor = os.open(f"/proc/self/fdinfo/{pidfd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for line in os.read(descriptor, 1024).splitlines():
            name, _, value = line.partition(b":")
            if name == b"Pid":
                pid = int(value)
                return pid if pid > 0 else None
    finally:
        os.close(descriptor)
    return None
