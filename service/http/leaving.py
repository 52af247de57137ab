"""Connections of a front that leaves: what was begun is answered and is the last; the silent are let go."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.http.incoming import HEAD
from service.http.kernel_view import round_trip, unread
from service.http.protocol import LINGER, BoundedProtocol
from service.turning_away import hear

# Whose address a peer on a socket of a path has: it is a process of this machine, as one on loopback is.
OF_A_PATH = ("127.0.0.1", 0)
_SAID_AGAIN = 1.0  # seconds


class LeavingProtocol(BoundedProtocol):
    """A connection is ended with the answer to the last request that has come on it, whole or in part. One on
    which there is none is closed when it has been silent for a while, unless a request lies unread in the
    kernel just then: whoever sends one later can see that the connection has ended, and that nothing was done
    (RFC 9112 section 9.6)."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._last: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.everyone.leaving:
            self.hear()
        if self.client is None and transport.get_extra_info("socket").family == socket.AF_UNIX:
            self.client = OF_A_PATH

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.everyone.leaving:
            self.leave()

    def hear(self) -> None:
        """What its peer says, although the listener it is of turns callers away (``turning_away``). What was
        dropped until now is said again: RFC 6298, after a round trip and 200 ms or more."""
        hear(self.transport.get_extra_info("socket"))
        if not self._used:
            self._since += _SAID_AGAIN

    def leave(self) -> None:
        """The latest request that has come is the last."""
        if self._lingers_until is not None:
            self._lingers_until = min(self._lingers_until, self.loop.time() + LINGER)
        former, self._last = self._last, cast("RequestResponseCycle | None", self.cycle)
        if former is not None and not former.response_started:
            former.keep_alive = True  # another came behind it before anybody was told
        # One whose head is on its way has said otherwise: the next request on the connection is told.
        if self._last is not None and not self._last.response_started:
            self._last.keep_alive = False

    def end_silence(self, now: float, seconds: float) -> None:
        """Close it when nothing has come on it for so long since it was opened, or since the last answer; or
        longer by as much as an answer takes on its way there, and the next request on its way here."""
        silent = not self._is_served() and self._incoming.stage != HEAD and self._lingers_until is None
        if not silent or now - self._since < seconds or unread(self.transport):
            return
        if now - self._since >= seconds + round_trip(self.transport):
            self._end()
