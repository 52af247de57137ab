"""A caller who leaves ends the work that is done for them."""

from __future__ import annotations

import asyncio
from types import TracebackType

from starlette.requests import ClientDisconnect
from starlette.types import Receive

_GRACE = 0.02  # most requests are answered before this, and never pay for the watching task


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
