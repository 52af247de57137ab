"""What the kernel knows of a connection: tcp(7). 0 for one that has been closed in the meantime."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import termios
from array import array


def unread(transport: asyncio.Transport) -> int:
    """Bytes in the receive queue, SIOCINQ."""
    return _queued(transport, termios.FIONREAD)


def unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes in the send queue, SIOCOUTQ. It may hold megabytes, and takes more only when a third of them has
    gone: without it, a slow reader would seem to stand still."""
    return _queued(transport, termios.TIOCOUTQ)


def _queued(transport: asyncio.Transport, which: int) -> int:
    queued = array("i", [0])
    try:
        fcntl.ioctl(_socket(transport).fileno(), which, queued)
    except OSError:
        return 0
    return queued[0]


def _socket(transport: asyncio.Transport) -> socket.socket:
    connection: socket.socket = transport.get_extra_info("socket")
    return connection
