"""Starting one front: exec ``python -m service.front`` with the listening socket and a channel to us.

    us → front    zygote {id, layers, modules} + descriptor     retire {id}
    front → us    hello      proven      broken {id}             or    failed {message}
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping

import orjson

from service.supervisor.zygote import Hello

MESSAGE_BYTES = 64 * 1024
START_FAILURE = 3  # exit status of "could not start", as opposed to "died"


class Front:
    """One front process."""

    def __init__(self, listener: socket.socket, environ: Mapping[str, str]) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service.front", str(listener.fileno()), str(theirs.fileno())],
                pass_fds=(listener.fileno(), theirs.fileno()),
                stdin=subprocess.DEVNULL,
                env=dict(environ),
            )
        self.pid = self._process.pid
        self.said_hello = False

    def receive(self) -> dict[str, object] | None:
        """Its next message; None when its end is closed. Call when ``control`` is readable."""
        try:
            message = self.control.recv(MESSAGE_BYTES)
        except ConnectionError:
            return None
        body = orjson.loads(message) if message else None
        return body if isinstance(body, dict) else None

    def meet(self, identity: int, hello: Hello, channel: socket.socket) -> None:
        """Hand it a channel to a zygote."""
        body = {
            "t": "zygote",
            "id": identity,
            "layers": [state.as_json() for state in hello.layers],
            "modules": list(hello.modules),
        }
        with contextlib.suppress(OSError):
            socket.send_fds(self.control, [orjson.dumps(body)], [channel.fileno()])

    def retire_zygote(self, identity: int) -> None:
        """Tell it to ask this zygote for nothing more."""
        with contextlib.suppress(OSError):
            self.control.send(orjson.dumps({"t": "retire", "id": identity}))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; it is our unreaped child, so the pid is its."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def reaped(self, status: int) -> None:
        """It has been waited for; close what we have of it."""
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.control.close()
