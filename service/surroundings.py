"""What a process may have been started with that this one cannot work in: closed standard streams, and
signals that whoever started it has blocked."""

from __future__ import annotations

import os
import signal
import sys

_ENCODING = "utf-8"


def make_usual() -> None:
    """All three streams are open, to nowhere where they were closed; no signal is blocked. To be called
    before anything is opened."""
    _open_streams()
    # Inherited by every child: nobody would hear of the end of one, nor of SIGTERM.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _open_streams() -> None:
    """Else the next that is opened, such as the socket that is listened on, would be taken for one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)  # the lowest number that is free
            os.set_inheritable(opened, True)
    # What Python has found closed is None.
    sys.stdin = sys.stdin or os.fdopen(0, "r", encoding=_ENCODING, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding=_ENCODING, closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding=_ENCODING, closefd=False)
