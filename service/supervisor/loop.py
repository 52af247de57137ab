"""The supervisor's loop: one selector over descriptors, timers and signals."""

from __future__ import annotations

import contextlib
import heapq
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from itertools import count
from types import FrameType, TracebackType

_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_Handler = Callable[[int, FrameType | None], object] | int | None


class Signals:
    """Records SIGTERM, SIGINT, SIGHUP and SIGCHLD while it is entered. A handler only records; what is to be
    done, the loop does. One at a time, in the main thread (signal.set_wakeup_fd)."""

    def __init__(self) -> None:
        self._pending: set[int] = set()
        self._previous: dict[int, _Handler] = {}

    def __enter__(self) -> Signals:
        self._reader, self._writer = os.pipe()
        for descriptor in (self._reader, self._writer):
            os.set_blocking(descriptor, False)
        self._old_wake = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._previous = {number: signal.signal(number, self._record) for number in _NUMBERS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wake)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._reader

    def take(self) -> frozenset[int]:
        """The signals since the last call. The pipe is emptied first: one that comes later wakes again."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reader, 4096):
                continue
        taken, self._pending = self._pending, set()
        return frozenset(taken)

    def _record(self, number: int, _: FrameType | None) -> None:
        self._pending.add(number)


class Loop:
    """Calls ``action`` when a descriptor is readable or its time has come."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def watch(self, source: socket.socket | Signals, action: Callable[[], None]) -> None:
        """Call ``action`` whenever ``source`` is readable."""
        self._selector.register(source, selectors.EVENT_READ, action)

    def mute(self, source: socket.socket) -> None:
        """Watch it no longer. Call before it is closed; it may have been muted already."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(source)

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Call ``action`` once, in ``delay`` seconds."""
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._numbers), action))

    def turn(self) -> None:
        """Wait for the next thing to do, and do all that is due."""
        wait = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
        for key, _ in self._selector.select(wait):
            # An action before this one may have muted and closed this descriptor, or replaced it.
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    def close(self) -> None:
        """Close the selector; what it watched is its owner's."""
        self._selector.close()
