"""Where log lines go. A terminal that was stopped, or a pipe whose reader stands still, takes no more for as
long as it likes; the service does not stand still with it."""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import time
from typing import Final

_PATIENCE: Final = 0.25  # seconds, in each _EVERY: what a reader that is behind may hold a process up
_EVERY: Final = 10.0
_NEVER: Final = frozenset((errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ESPIPE))


class Sink:
    """One descriptor. ``lost``: lines that it did not take since somebody last asked; may be set."""

    def __init__(self, descriptor: int) -> None:
        self.lost = 0
        self._descriptor = descriptor
        self._mode: int | None = None
        self._nowait = True  # pwritev2(2) with RWF_NOWAIT: for pipes from Linux 6.4 on
        self._torn = False
        self._patient_from = 0.0

    def put(self, line: bytes) -> bool:
        """Write it in one go, so that lines of several processes do not mix. Whether all of it was taken."""
        whole = rest = b"\n" + line if self._torn else line
        try:
            while rest:
                rest = rest[self._some(rest) :]
        except OSError:
            self._torn = self._torn or len(rest) < len(whole)
            self.lost += 1
            return False
        self._torn = False
        return True

    def _some(self, rest: bytes) -> int:
        if self._mode is None:
            self._mode = os.fstat(self._descriptor).st_mode
        if stat.S_ISREG(self._mode):
            return os.write(self._descriptor, rest)  # which takes what the disk takes
        now = time.monotonic()
        patience = now + _PATIENCE if now >= self._patient_from else now
        while True:
            try:
                return _send(self._descriptor, rest) if stat.S_ISSOCK(self._mode) else self._at_once(rest)
            except BlockingIOError:
                left = patience - time.monotonic()
                if left <= 0 or not self._takes_more(left):
                    self._patient_from = max(self._patient_from, now + _EVERY)
                    raise

    def _at_once(self, rest: bytes) -> int:
        """BlockingIOError when it takes nothing now: the descriptor's own O_NONBLOCK would be everybody's who
        has it, the shell's too."""
        if self._nowait:
            try:
                return os.pwritev(self._descriptor, [rest], -1, os.RWF_NOWAIT)
            except OSError as error:
                if error.errno not in _NEVER:
                    raise
                self._nowait = False
        if not self._takes_more(0.0):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return os.write(self._descriptor, rest[: select.PIPE_BUF])  # for so much there is room (pipe(7))

    def _takes_more(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))


def _send(descriptor: int, rest: bytes) -> int:
    """To a socket, as that of systemd's journal is. BlockingIOError when it takes nothing now."""
    connection = socket.socket(fileno=descriptor)
    try:
        return connection.send(rest, socket.MSG_DONTWAIT)
    finally:
        connection.detach()
