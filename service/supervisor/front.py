"""Starting one front: exec ``python -m service.front`` with the listening socket, a channel to us, the secret
settings (which are in no child's environment) and the memory in which all fronts count.

us → front    zygote {id, layers, modules} + one descriptor per kind of worker     retire {id}
front → us    hello      proven {id}      broken {id}
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence

import orjson

from service.supervisor.zygote import Hello

MESSAGE_BYTES = 64 * 1024


class Front:
    """One front process. ``handed``: descriptors that it gets beside the listener and its channel to us.
    OSError when it cannot be started."""

    def __init__(self, listener: socket.socket, environ: Mapping[str, str], handed: Sequence[int]) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)  # a front that does not read must not stop the supervisor
        try:
            with theirs:
                self._process = _exec_front((listener.fileno(), theirs.fileno(), *handed), environ)
        except OSError:
            self.control.close()
            raise
        self.pid = self._process.pid
        self.said_hello = False

    def receive(self) -> dict[str, object] | None:
        """Its next message; None when its end is closed. Call when ``control`` is readable."""
        try:
            message = self.control.recv(MESSAGE_BYTES)
        except OSError:
            return None
        body = orjson.loads(message) if message else None
        return body if isinstance(body, dict) else None

    def meet(self, identity: int, hello: Hello, channels: Sequence[socket.socket]) -> None:
        """Hand it a channel to a zygote for each kind of worker. OSError when it is gone or does not read."""
        body = {
            "t": "zygote",
            "id": identity,
            "layers": [state.as_json() for state in hello.layers],
            "modules": list(hello.modules),
        }
        socket.send_fds(self.control, [orjson.dumps(body)], [channel.fileno() for channel in channels])

    def retire_zygote(self, identity: int) -> None:
        """Tell it to ask this zygote for nothing more. OSError when it is gone or does not read."""
        self.control.send(orjson.dumps({"t": "retire", "id": identity}))

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
