"""The open connections of one front: how many, who makes room, and one look at each about every second."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Protocol

from service.http.holdings import Holdings
from service.http.large import LargeWork
from service.http.limits import Limits
from service.telemetry.board import lowest_of_others
from service.telemetry.catalog import ACCEPTED, ACCEPTING, CONNECTIONS, EVICTED, REFUSED

_SPARE = 64  # connections above the limit while they are told of it
_LONGEST_TICK = 1.0  # seconds
_UNEVEN = 8  # another front has clearly fewer when this part of its own, and one more, are missing


class Connection(Protocol):
    """What is asked of one connection."""

    def abort(self) -> None:
        """Close it at once."""

    def sweep(self, now: float) -> None:
        """End what has taken too long. ``now``: the event loop's time."""


class Connections:
    """Counts and watches them. One timer for all: a request costs no timer of its own.

    ``waiting`` holds those that no request is served on, in the order in which they began to wait: idle ones,
    those with an unfinished head, those whose last answer is being read, and those whose request is set aside
    (``wait_aside``). They make room for new ones.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.bodies = Holdings("bodies", limits.buffer_bytes)
        self.answers = Holdings("answers", limits.buffer_bytes)
        self.large = LargeWork()
        self.leaving = False  # whether the front takes no more than it has
        self.waiting: OrderedDict[Connection, None] = OrderedDict()
        self._open: set[Connection] = set()
        self._refused: set[Connection] = set()
        shortest = min(limits.header_seconds, limits.body_seconds, limits.write_seconds)
        self._tick = min(_LONGEST_TICK, shortest / 4)
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._excused = False

    def admit(self, connection: Connection) -> bool:
        """Take it in. When all places are taken, the one that has waited longest is closed. False when none
        waits: the new one is to be told so, or is closed already where too many are being told."""
        if self._timer is None:
            self._wind()
        full = len(self._open) >= self.limits.connections
        if full and not self.waiting:
            self._refuse(connection)
            return False
        if full:
            self._evict(next(iter(self.waiting)))
        self._open.add(connection)
        self.waiting[connection] = None
        ACCEPTED.add()
        CONNECTIONS.set(len(self._open))
        return True

    def crowded(self, coming: int) -> bool:
        """Whether another front has clearly fewer than this one with so many that are about to be open."""
        lowest = lowest_of_others(CONNECTIONS, ACCEPTING)
        return lowest is not None and len(self._open) + coming > lowest + lowest // _UNEVEN

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        self._open.discard(connection)
        CONNECTIONS.set(len(self._open))
        self._refused.discard(connection)
        self.waiting.pop(connection, None)

    def _refuse(self, connection: Connection) -> None:
        REFUSED.add()
        if len(self._refused) < _SPARE:
            self._refused.add(connection)
        else:
            connection.abort()

    def _evict(self, connection: Connection) -> None:
        EVICTED.add()
        self.forget(connection)
        connection.abort()

    def _wind(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + self._tick
        self._timer = loop.call_at(self._due, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now, connections = loop.time(), (*self._open, *self._refused)
        late = now - self._due > self._tick
        self._timer = None
        if connections:
            self._wind()
        # When this process was held up, what peers have sent meanwhile is read after this; look again then.
        self._excused = late and not self._excused
        if not self._excused:
            for connection in connections:
                connection.sweep(now)
