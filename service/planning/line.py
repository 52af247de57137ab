"""A front's line to the planner's process: many questions at once, each answered by its number.

The supervisor hands over the other end whenever there is a planner; between two of them nobody can be asked.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Final, cast

import structlog
from structlog.typing import FilteringBoundLogger

from sandbox_runtime import wire
from sandbox_runtime.planning import MAX_MESSAGE_BYTES, Answer, Ask, Standing
from service.errors import PlannerFailed

_log: FilteringBoundLogger = structlog.get_logger(__name__)
_GRACE: Final = 2.0  # seconds beyond the planner's own deadline: it tells more of a timeout than we could
_PATIENCE: Final = 10.0  # seconds for a planner that is just being started: it takes one or two
_DOWN: Final = "the planner's process is not there; it is started again by itself"
_MAX_UNREAD: Final = 16 << 20  # bytes of questions that wait for a planner to read them
_UNREAD: Final = "the planner's process does not read what it is asked"
_AWAITED: Final[Mapping[wire.Kind, int]] = {wire.Kind.ANSWER: MAX_MESSAGE_BYTES}


class Line:
    """``standing``: what the planner said of itself when it stood; None while there is none. ``expected``:
    whether the service has one at all."""

    def __init__(self, *, expected: bool) -> None:
        self.expected = expected
        self.standing: Standing | None = None
        self._numbers = count(1)
        self._end: _End | None = None
        self._connected = asyncio.Event()

    async def connect(self, end: socket.socket, standing: Standing) -> None:
        """From now on this one is asked; what another has been asked, it may still answer. ``end`` becomes
        ours."""
        end.setblocking(False)
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_unix_connection(lambda: _End(self._lost), sock=end)
        former, self._end, self.standing = self._end, protocol, standing
        self._connected.set()
        if former is not None:
            former.retire()

    async def ask(self, ask: Ask) -> Answer:
        """The answer; the number in ``ask`` does not matter. Whoever is cancelled is forgotten there too.
        PlannerFailed when nobody can be asked, not after a moment either, or two planners ended over it."""
        deadline = time.monotonic() + ask.seconds
        try:
            return await self._asked(ask, deadline)
        except _Lost:  # with the planner: an answer is text, and asking again for it does nothing else twice
            return await self._asked(ask, deadline)

    async def _asked(self, ask: Ask, deadline: float) -> Answer:
        end = self._end or await self._awaited(min(_PATIENCE, deadline - time.monotonic()))
        left = max(0.0, deadline - time.monotonic())
        return await end.ask(replace(ask, id=next(self._numbers), seconds=left))

    async def _awaited(self, seconds: float) -> _End:
        try:
            async with asyncio.timeout(seconds):
                while self._end is None:
                    self._connected.clear()
                    await self._connected.wait()
                return self._end
        except TimeoutError:
            raise PlannerFailed("planner_unavailable", _DOWN, retry_after=1) from None

    def close(self) -> None:
        """Ask nobody any more."""
        if self._end is not None:
            self._end.close()

    def _lost(self, end: _End) -> None:
        if self._end is end:
            self._end, self.standing = None, None


class _Lost(PlannerFailed):
    def __init__(self) -> None:
        super().__init__("planner_unavailable", _DOWN, retry_after=1)


class _End(asyncio.Protocol):
    """One planner's. Any error on it ends it: the supervisor brings another."""

    def __init__(self, on_lost: Callable[[_End], None]) -> None:
        self._on_lost = on_lost
        self._decoder = wire.Decoder(_AWAITED)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._transport: asyncio.Transport | None = None
        self._retired = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._decoder.feed(data):
                self._answered(Answer.from_wire(wire.decode_object(frame)))
        except wire.WireError as error:
            _log.error("planner_broke_protocol", reason=str(error))
            self.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._on_lost(self)
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(_Lost())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def retire(self) -> None:
        """Close it when it has answered all that it was asked."""
        self._retired = True
        if not self._waiting:
            self.close()

    async def ask(self, ask: Ask) -> Answer:
        if self._transport is None or self._transport.is_closing():
            raise _Lost
        message = wire.encode_json(wire.Kind.ASK, ask)
        if len(message) > MAX_MESSAGE_BYTES:
            detail = (
                f"what the model would be told has {len(message)} bytes, the limit is {MAX_MESSAGE_BYTES}"
            )
            raise PlannerFailed("llm_request_budget", f"{detail}; send less code")
        if self._transport.get_write_buffer_size() > _MAX_UNREAD:
            raise PlannerFailed("planner_unavailable", _UNREAD, retry_after=1)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[ask.id] = future
        self._transport.write(message)
        try:
            async with asyncio.timeout(ask.seconds + _GRACE):
                return await future
        except TimeoutError:
            raise PlannerFailed("planner_unavailable", "the planner did not answer in time") from None
        finally:
            if self._waiting.pop(ask.id, None) is not None and not _has_answer(future):
                self._transport.write(wire.encode_json(wire.Kind.FORGET, {"id": ask.id}))
            if self._retired and not self._waiting:
                self.close()

    def _answered(self, answer: Answer) -> None:
        future = self._waiting.get(answer.id)  # None: its caller has gone
        if future is not None and not future.done():
            future.set_result(answer)


def _has_answer(future: asyncio.Future[Answer]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
