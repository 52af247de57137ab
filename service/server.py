"""The HTTP server of one front: uvicorn's, with an end that loses nothing.

    drain    not ready; take what lies in the listener's queue; answer what was begun; close who is silent
    leave    the same when other fronts go on: the queue is theirs, and the service is ready
    cut      what still runs is answered worker_lost

Whatever still runs ``patience`` seconds after the first of them is cut.
"""

from __future__ import annotations

import asyncio
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final, cast

import structlog
import uvicorn
from structlog.typing import FilteringBoundLogger

from service.acceptor import Acceptor
from service.http.connections import Connections
from service.http.leaving import LeavingProtocol
from service.state import ServiceState
from service.telemetry.catalog import ACCEPTING

LAST_ANSWERS: Final = 1.0  # seconds to tell the callers who were cut off
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_TICK: Final = 1.0  # seconds: the Date field is made anew
_LOOK: Final = 0.02  # seconds
# A packet's way to a caller and back, around the world and by satellite: handshakes that are under way end in
# it. Less than the second after which who was turned away tries again.
_HANDSHAKES: Final = 0.8
_FULL_QUEUE: Final = 1.0  # seconds after which one that others fill again is left to them
# Who has not been heard for so long is not just about to send a request, as one is who goes from answer to
# request without a pause. A service that ends does so sooner than a front that has a successor.
_SILENCE_OF_END: Final = 0.25
_SILENCE: Final = 2.0
_log: FilteringBoundLogger = structlog.get_logger("lars.front")


class Server(uvicorn.Server):
    """``everyone``: its connections. ``patience``: seconds. ``local``: reached without a network."""

    def __init__(
        self, config: uvicorn.Config, state: ServiceState, everyone: Connections, *, local: bool
    ) -> None:
        super().__init__(config)
        self._state = state
        self._everyone = everyone
        self._patience = state.settings.drain_seconds
        self._local = local
        self._told = asyncio.Event()
        self._silence = _SILENCE_OF_END
        self._cut: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._acceptors: list[Acceptor] = []

    # -- what it is told ---------------------------------------------------------------------------------

    def drain(self) -> None:
        """The service ends."""
        self._state.phase.draining = True
        self._silence = _SILENCE_OF_END
        self._end()

    def leave(self) -> None:
        """Another front has this one's place."""
        if not self._told.is_set():
            self._silence = _SILENCE
            self._end()

    def cut(self) -> None:
        """End what still runs, now."""
        self.drain()
        if self._cut is not None:
            self._cut.cancel()
            self._cut_off()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """In place of uvicorn's own, which raises the signal again when it is done: by default that would end
        the process with its log lines and descriptors unattended."""
        self.drain()

    # -- what uvicorn calls ------------------------------------------------------------------------------

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve who comes on these: by uvicorn's own means, which cost less, where nobody shares them."""
        ACCEPTING.set(1.0)
        if self._state.settings.fronts == 1:
            await super().startup(sockets)
            return
        await self.lifespan.startup()
        self.servers = []
        crowded = self._everyone.crowded
        self._acceptors = [Acceptor(listener, self._protocol, crowded) for listener in sockets or ()]
        self.started = True

    async def main_loop(self) -> None:
        """Until it is told to end."""
        while not self._told.is_set():
            await self.on_tick(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """From the end of ``main_loop`` to that of the last connection."""
        for listener in sockets or ():
            if self._state.phase.draining:
                await self._take_queue(listener)
        for server in self.servers:
            server.close()
        for acceptor in self._acceptors:
            acceptor.close()
        for listener in sockets or ():
            listener.close()
        for acceptor in self._acceptors:
            await acceptor.settle()
        _log.info("front_leaves", connections=len(self.server_state.connections))
        await self._see_off()
        if self._cut is not None:
            self._cut.cancel()

    # -- inside ------------------------------------------------------------------------------------------

    def _end(self) -> None:
        if self._told.is_set():
            return
        loop = asyncio.get_running_loop()
        self._told.set()
        self.should_exit = True
        self._everyone.leaving = True
        for connection in self._connections():
            if self._state.phase.draining:
                connection.hear()
            connection.leave()
        ACCEPTING.set(0.0)
        self._state.streams.close()
        self._last = loop.time() + self._patience + LAST_ANSWERS
        self._cut = loop.call_later(self._patience, self._cut_off)

    def _cut_off(self) -> None:
        self._last = asyncio.get_running_loop().time() + LAST_ANSWERS
        self._state.cut_off()

    async def _take_queue(self, listener: socket.socket) -> None:
        """Until nobody is in it. The event loop takes whoever is."""
        loop = asyncio.get_running_loop()
        if not self._local:
            await asyncio.sleep(min(_HANDSHAKES, self._patience))
        end = loop.time() + _FULL_QUEUE
        queue = select.poll()
        queue.register(listener, select.POLLIN)
        while queue.poll(0) and loop.time() < end:  # noqa: ASYNC110 - no event tells of an empty queue
            await asyncio.sleep(0)

    async def _see_off(self) -> None:
        loop = asyncio.get_running_loop()
        while self.server_state.connections or self.server_state.tasks:
            now = loop.time()
            if now > self._last:
                await self._abandon()
                return
            for connection in self._connections():
                connection.end_silence(now, self._silence)
            await asyncio.sleep(_LOOK)

    async def _abandon(self) -> None:
        tasks = list(self.server_state.tasks)
        _log.warning("front_abandons", connections=len(self.server_state.connections), requests=len(tasks))
        for connection in self._connections():
            connection.abort()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_ANSWERS)

    def _protocol(self) -> asyncio.Protocol:
        kind = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def _connections(self) -> list[LeavingProtocol]:
        return cast("list[LeavingProtocol]", list(self.server_state.connections))
