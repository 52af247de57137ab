"""A worker that is bound for life, as its front speaks with it: one question, one answer, again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from sandbox_runtime import wire
from sandbox_runtime.domain import WorkerKind
from service.errors import WorkerLost
from service.pool.cpu_clock import CpuClock
from service.pool.output import read_stream
from service.pool.value import check_value
from service.pool.worker import Worker
from service.telemetry.catalog import KILLS

log = structlog.get_logger(__name__)
T = TypeVar("T")
_SAID_BYTES = 4096
_STARVED = (
    "all workers together had used up the memory that they may use (LARS_CGROUP_MEMORY); try again later"
)


class NotTaken(Exception):
    """The worker was dead before it had the whole question, so nothing of it has begun."""


@dataclass(frozen=True, slots=True)
class Manner(Generic[T]):
    """How workers of a ``domain`` answer: the kinds of the last frame and how each is read (WireError), and
    the ``longest`` BODY before it, in bytes. ``event`` is logged, and ``detail`` told, when one dies."""

    answers: Mapping[wire.Kind, Callable[[dict[str, object]], T]]
    longest: int
    event: str
    detail: str
    domain: WorkerKind


class _Until:
    __slots__ = ("_deadline", "_expire", "_timer")

    def __init__(self, expire: Callable[[], None], deadline: float) -> None:
        self._expire, self._deadline = expire, deadline

    def __enter__(self) -> None:
        left = max(0.0, self._deadline - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(left, self._expire)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


class Dialogue(Generic[T]):
    """One question at a time: the owner sees to that. ``worn``: it must not be asked again. ``innocent``: it
    died with its zygote, or was cut off."""

    def __init__(self, worker: Worker, manner: Manner[T], bind: bytes, directory: int) -> None:
        """``directory`` goes with the message ``bind``, and stays the caller's to close."""
        self.worn = self.innocent = False
        self.clock = CpuClock(worker.pidfd)
        self._worker = worker
        self._manner = manner
        self._longest = manner.longest
        self._body: bytes | None = None
        self._answer: asyncio.Future[tuple[bytes | None, T]] | None = None
        limits = dict.fromkeys(manner.answers, wire.MAX_ENVELOPE_BYTES)
        worker.listen({wire.Kind.BODY: manner.longest, **limits}, self)
        worker.send_with_descriptor(bind, directory)

    @property
    def usable(self) -> bool:
        """Whether it can be asked."""
        return not (self.worn or self._worker.closed or self._worker.gone.is_set())

    async def ask(self, message: bytes, longest: int, file: int | None = None) -> tuple[bytes | None, T]:
        """Body, of at most ``longest`` bytes, and answer. WorkerLost when it died, NotTaken when it was dead
        already. Cancelling kills it. ``file`` stays the caller's to close."""
        self._answer = asyncio.get_running_loop().create_future()
        self._body = None
        self._longest = longest
        try:
            if file is None:
                self._worker.send(message)
            else:
                self._worker.send_with_descriptor(message, file)
            if self._worker.deaf:
                raise NotTaken
            return await self._answer
        except BaseException:
            self.destroy()
            raise
        finally:
            self._answer = None

    def until(self, deadline: float) -> _Until:
        """For ``with``: the question in the block ends with TimeoutError at ``deadline``, a
        ``time.monotonic()`` value. asyncio.timeout does the same at four times the cost."""
        return _Until(self._expire, deadline)

    def _expire(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(TimeoutError())

    def cut_off(self) -> None:
        """End it; what runs is answered WorkerLost."""
        self.innocent = True
        self._fail("the service is shutting down")
        self.destroy()

    def destroy(self) -> None:
        """End it."""
        self._worker.destroy()

    def on_frame(self, frame: wire.Frame) -> None:
        if self._answer is None or self._answer.done():
            raise wire.WireError(f"{frame.kind.name} that nobody asked for")
        read = self._manner.answers.get(frame.kind)
        if read is not None:
            self._answer.set_result((self._body, read(wire.decode_object(frame))))
        elif self._body is None and len(frame.payload) <= self._longest:
            check_value(frame.payload)
            self._body = frame.payload
        else:
            raise wire.WireError(f"{frame.kind.name} out of turn")

    def on_broken(self) -> None:
        self._died("protocol")

    def on_dead(self) -> None:
        self._died("exit")

    def on_lost(self) -> None:
        self.innocent = True
        self._died("zygote")

    def _died(self, how: str) -> None:
        if not self._worker.closed:
            KILLS.add(self._manner.domain, how)
            end = self._worker.exit
            status, starved = (end.status, end.starved) if end is not None else (None, False)
            said = read_stream(self._worker.stderr, _SAID_BYTES).text.rstrip("\0")
            log.error(self._manner.event, how=how, status=status, starved=starved, said=said)
            if starved:
                self._fail(_STARVED)
        self._fail(self._manner.detail)

    def _fail(self, detail: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerLost(detail))
