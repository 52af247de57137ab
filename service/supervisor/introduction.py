"""How a front and a child meet: the child is sent one end of a new channel, and the front the other."""

from __future__ import annotations

import socket


def introduce(control: socket.socket, kind: socket.SocketKind) -> socket.socket:
    """The end for a front of a channel to the child behind ``control``, which is told ``front`` with the
    other end. OSError when the child is gone or does not read."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    with theirs:
        try:
            socket.send_fds(control, [b"front"], [theirs.fileno()])
        except OSError:
            ours.close()
            raise
    return ours
