"""Taking connections from a listener that fronts share, so that each front has its share of them.

The kernel wakes every front for a connection and gives it to whoever asks first. That may be one front for
nearly all of a burst, and a client that keeps its connections would stay with it. So a front that has clearly
more than another is not the first to ask: it waits for so short a time that who is open hardly notices.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

_WAY: Final = 0.00015  # seconds: a front that rests is awake by then. Timers of the event loop are coarser
_WAYS: Final = 128  # in a second: callers who come faster meet fronts that are awake
_PAUSE: Final = 1.0  # seconds without descriptors or memory for another connection
_log: FilteringBoundLogger = structlog.get_logger("lars.front")


class Acceptor:
    """``make``: the protocol of one connection. ``crowded`` says whether another front has clearly fewer
    connections than this one with so many more."""

    def __init__(
        self, listener: socket.socket, make: Callable[[], asyncio.Protocol], crowded: Callable[[int], bool]
    ) -> None:
        self._listener = listener
        self._make = make
        self._crowded = crowded
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._ways = _WAYS
        self._until = 0.0
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Take no more."""
        self._loop.remove_reader(self._listener)
        if self._pause is not None:
            self._pause.cancel()

    async def settle(self) -> None:
        """Return when all that were taken are open."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _listen(self) -> None:
        self._loop.add_reader(self._listener, self._take)

    def _take(self) -> None:
        """Errors: accept(2)."""
        self._give_way()
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            _log.error("accept_failed", reason=str(error), again_in=_PAUSE)
            self._loop.remove_reader(self._listener)
            self._pause = self._loop.call_later(_PAUSE, self._listen)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._open(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _give_way(self) -> None:
        now = self._loop.time()
        if now >= self._until:
            self._ways, self._until = _WAYS, now + 1.0
        if self._ways and self._crowded(len(self._opening)):
            self._ways -= 1
            time.sleep(_WAY)

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError as error:  # its peer has gone
            _log.info("connection_not_opened", reason=str(error))
            connection.close()
