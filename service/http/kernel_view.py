"""What the kernel knows of a connection: tcp(7). 0 for one that has been closed in the meantime."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import sys
import termios
from array import array

_LONGEST_WAY = 1.0  # seconds, whatever the peer makes the kernel believe
_INFO = 72  # bytes of struct tcp_info, of which the last four are the time of a round trip, in microseconds


def unread(transport: asyncio.Transport) -> int:
    """Bytes in the receive queue, SIOCINQ."""
    return _queued(transport, termios.FIONREAD)


def unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes in the send queue, SIOCOUTQ. It may hold megabytes, and takes more only when a third of them has
    gone: without it, a slow reader would seem to stand still."""
    return _queued(transport, termios.TIOCOUTQ)


def round_trip(transport: asyncio.Transport) -> float:
    """Seconds to the peer and back, TCP_INFO. 0 on a socket of a path."""
    try:
        info = _socket(transport).getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO)
    except OSError:
        return 0.0
    return min(int.from_bytes(info[-4:], sys.byteorder) / 1e6, _LONGEST_WAY)


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
