"""Whoever has the zygotes' workers run something, and our end of the channel to it.

us → front    serve, once: until then it has imported what it needs, and waits
us → guest    zygote {id, layers, modules, proved} + one descriptor per kind of worker     retire {id}
              planner {ready, why, layers} + one descriptor
              ping     drain     leave     cut                 to fronts alone: service/server.py
guest → us    hello      proven {id}      broken {id}      alive
"""

from __future__ import annotations

import contextlib
import errno
import socket

import orjson

from sandbox_runtime.domain import WORKER_KINDS
from sandbox_runtime.planning import Standing
from service.supervisor.zygotes import Zygotes

MESSAGE_BYTES = 64 * 1024
MAY_SERVE = b"serve"
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Guest:
    """``control`` is ours to close."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.control.setblocking(False)  # a guest that does not read must not stop the supervisor
        self.said_hello = False

    def receive(self) -> dict[str, object] | None:
        """Its next message; None when its end is closed. Call when ``control`` is readable."""
        try:
            message = self.control.recv(MESSAGE_BYTES)
        except OSError:
            return None
        body = orjson.loads(message) if message else None
        return body if isinstance(body, dict) else None

    def meet(self, zygotes: Zygotes, identity: int) -> bool:
        """Hand it a channel to a zygote for each kind of worker. False when there are no descriptors for that
        just now. OSError when it is gone or does not read."""
        hello = zygotes.hello(identity)
        with contextlib.ExitStack() as channels:
            try:
                ends = [channels.enter_context(zygotes.introduce(identity)) for _ in WORKER_KINDS]
            except OSError as error:
                # Else the zygote is dying; its successor is introduced when it stands.
                return error.errno not in _SHORT
            body = {
                "t": "zygote",
                "id": identity,
                "layers": [state.as_json() for state in hello.layers],
                "modules": list(hello.modules),
                "proved": zygotes.has_proved(identity),
            }
            socket.send_fds(self.control, [orjson.dumps(body)], [end.fileno() for end in ends])
        return True

    def meet_planner(self, standing: Standing, end: socket.socket) -> None:
        """Hand it the end of a line to the planner. OSError when it is gone or does not read."""
        body = {"t": "planner", "ready": standing.ready, "why": standing.why, "layers": standing.layers}
        socket.send_fds(self.control, [orjson.dumps(body)], [end.fileno()])

    def retire_zygote(self, identity: int) -> None:
        """Tell it to ask this zygote for nothing more. OSError when it is gone or does not read."""
        self.control.send(orjson.dumps({"t": "retire", "id": identity}))
