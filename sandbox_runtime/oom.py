"""When memory runs out: whom the kernel is to kill first, and whom it has killed.

Both by descriptors that were opened while there was a /proc and a /sys in sight. A worker closes what it
inherits of them before it reads a job.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

# So much larger a worker counts, in thousandths of the memory that ran out: proc(5), oom_score_adj.
# More would sacrifice workers, which are small, to whatever else has filled the machine.
_HANDICAP = 200
_HIGHEST = 1000
# The kernel counts before it kills, and what it kills ends within moments.
_MOMENTS = 2.0


class FirstToGo:
    """Makes what is forked between ``begin`` and ``end`` the first to go: before the zygote, whose end would
    be that of all its workers, and before the fronts. Where the kernel does not let us, all are alike."""

    def __init__(self, proc: int) -> None:
        """``proc``: a descriptor of /proc."""
        self._file: int | None = None
        try:
            file = os.open("self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC, dir_fd=proc)
        except OSError:
            return
        try:
            own = int(os.pread(file, 16, 0))
            self._raised, self._own = b"%d" % min(own + _HANDICAP, _HIGHEST), b"%d" % own
            os.write(file, self._raised)
            os.write(file, self._own)
        except OSError:
            os.close(file)
        else:
            self._file = file

    def begin(self) -> None:
        """What is forked from now on goes first."""
        if self._file is not None:
            os.write(self._file, self._raised)

    def end(self) -> None:
        """No longer."""
        if self._file is not None:
            os.write(self._file, self._own)


class OomKills:
    """What the kernel has killed in our group for want of memory. ``events``: a descriptor of its
    memory.events, or None where nobody counts."""

    def __init__(self, events: int | None) -> None:
        self._events = events
        self._count = self._read()
        self._last = -_MOMENTS

    def just_now(self, now: float) -> bool:
        """Whether one was killed within the last moments. Which, the kernel does not say: ask it of one that
        has died of SIGKILL. ``now``: seconds of a monotonic clock."""
        count = self._read()
        if count > self._count:
            self._count, self._last = count, now
        return now - self._last < _MOMENTS

    def _read(self) -> int:
        return 0 if self._events is None else oom_kills(os.pread(self._events, 4096, 0))


@dataclass(frozen=True, slots=True)
class Memory:
    """What a zygote has of both."""

    first: FirstToGo
    kills: OomKills


def oom_kills(events: bytes) -> int:
    """The count in the text of a memory.events (cgroup-v2.rst); 0 where it has none."""
    for line in events.splitlines():
        name, _, number = line.partition(b" ")
        if name == b"oom_kill" and number.strip().isdigit():
            return int(number)
    return 0
