"""Starting one front: exec ``python -m service.front`` with the listening socket, a channel to us (``guest``
has what is said on it), the secret settings (which are in no child's environment) and the memory in which all
fronts count."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Literal

import orjson

from service.supervisor.guest import MAY_SERVE, Guest

Order = Literal["drain", "leave", "cut"]
_PING = orjson.dumps({"t": "ping"})


class Front(Guest):
    """One front process. ``handed``: descriptors that it gets beside the listener and its channel to us.
    ``unanswered``: pings since it was heard. ``overdue``: it has not said hello in time. ``proved``: a
    program has run for it. ``leaving``: another has its place, and it ends by itself.
    OSError when it cannot be started."""

    def __init__(self, listener: socket.socket, environ: Mapping[str, str], handed: Sequence[int]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(ours)
        self.unanswered = 0
        self.overdue = False
        self.proved = False
        self.leaving = False
        try:
            with theirs:
                self._process = _exec_front((listener.fileno(), theirs.fileno(), *handed), environ)
        except OSError:
            self.control.close()
            raise
        self.pid = self._process.pid

    def let_serve(self) -> None:
        """What it needs is there. OSError when it is gone."""
        self.control.send(MAY_SERVE)

    def order(self, what: Order) -> None:
        """Have it do that (``service.server``). One that is only starting, or does not read, is ended."""
        try:
            if not self.said_hello:
                raise ConnectionError("nobody listens there yet")
            self.control.send(orjson.dumps({"t": what}))
        except OSError:
            self.signal(signal.SIGKILL)

    def ping(self) -> None:
        """Have it say that it is alive. One whose socket is full, or that is gone, will not."""
        self.unanswered += 1
        with contextlib.suppress(OSError):
            self.control.send(_PING)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; it is our unreaped child, so the pid is its."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def reaped(self, status: int) -> None:
        """It has been waited for; close what we have of it."""
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.control.close()


def _exec_front(descriptors: Sequence[int], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "service.front", *(str(descriptor) for descriptor in descriptors)],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        env=dict(environ),
        process_group=0,  # Ctrl-C is for the supervisor, which lets fronts finish what they serve
    )
