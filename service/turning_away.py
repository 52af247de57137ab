"""A listening TCP socket that takes no new connection, and loses none of those that it has.

Closing one resets whoever is in its queue, so the queue is emptied first; but between the last accept(2) and
close(2) another may come. Nothing does when each packet that would begin a connection is dropped, as it is
from a peer that is more than no router away: IP_MINTTL (ip(7)) and IPV6_MINHOPCOUNT, RFC 5082, at 255, which
no system sends by default. The kernel does not ask that of the last packet of a handshake, so those that have
begun end well. A caller who is turned away tries again after a second (RFC 6298), and is then refused, or is
taken by who listens there by then.
"""

from __future__ import annotations

import contextlib
import socket

_NEAREST = 255
_OPTIONS = ((socket.IPPROTO_IP, 21), (socket.IPPROTO_IPV6, 73))


def turn_away(listener: socket.socket) -> None:
    """From now on nobody else comes. Of all processes that share the socket."""
    _set(listener, _NEAREST)


def hear(connection: socket.socket) -> None:
    """A connection whose handshake was under way just then was made like its listener, and would not hear
    its peer."""
    _set(connection, 0)


def _set(of: socket.socket, value: int) -> None:
    for level, option in _OPTIONS:
        # One of IPv6 may carry IPv4 too; whichever it does not, the kernel refuses.
        with contextlib.suppress(OSError):
            of.setsockopt(level, option, value)
