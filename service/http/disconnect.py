"""A caller who leaves ends the work that is done for them, and the wait before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Final, Protocol

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from service.http.holdings import Kept
from service.http.large import LargeWork

_GRACE = 0.02  # most requests are answered before this, and never pay for the watching task
CONNECTION: Final = "lars.connection"  # in a scope: the ``Connection`` that the request came on


class Connection(Protocol):
    """What is asked of the connection of a request."""

    kept: Kept

    @property
    def large(self) -> LargeWork:
        """Of the front that it is of."""

    def set_aside(self, leave: Callable[[], None]) -> None:
        """Until ``take_up``, make room for new connections as one without a request does, and call
        ``leave`` when it is closed."""

    def take_up(self) -> None:
        """The request is in work again."""


async def wait_aside(scope: Scope, event: asyncio.Event, seconds: float) -> None:
    """Return when ``event`` is set, after so many seconds, or when the connection is closed.

    For a wait before the body is read, of a caller whom nobody knows yet: it keeps no other caller out, and
    as many wait at most as there may be connections."""
    connection: Connection | None = scope.get(CONNECTION)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds) as patience:
            if connection is None:
                await event.wait()
                return
            connection.set_aside(partial(_end, patience))
            try:
                await event.wait()
            finally:
                connection.take_up()


def _end(patience: asyncio.Timeout) -> None:
    if not patience.expired():
        patience.reschedule(0)


class DisconnectWatch:
    """Around the work of a request whose body has been read: cancels it when the client disconnects, and
    raises ClientDisconnect in its place."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task: asyncio.Task[None] | None = None
        self._left = False

    async def __aenter__(self) -> None:
        self._request = asyncio.current_task()
        self._handle = asyncio.get_running_loop().call_later(_GRACE, self._start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        if self._task is not None:
            self._task.cancel()
            self._task = None  # a task that was cancelled has its frames, which have this
        if self._left and isinstance(error, asyncio.CancelledError) and self._request is not None:
            self._request.uncancel()
            raise ClientDisconnect from None

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        if self._request is not None:
            self._left = True
            self._request.cancel()
