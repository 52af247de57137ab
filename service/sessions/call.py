"""One session's worker as its front sees it: bound once, then one call after another."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from sandbox_runtime import wire
from sandbox_runtime.call import END, Binding, Call, Operation, Reply
from service.errors import WorkerLost
from service.pool.cpu_clock import CpuClock
from service.pool.job import Spent
from service.pool.output import read_stream
from service.pool.worker import Worker
from service.sessions.directory import Identity, identity_of

log = structlog.get_logger(__name__)
Answer = tuple[bytes | None, Reply]
_SAID_BYTES = 4096
_MAX_PLANS = 500  # whose compiled code a worker keeps
_DESCRIPTION_BYTES = 8 << 20  # a description of a session may be longer than a plan's result


class NotTaken(Exception):
    """The worker was dead before it had the whole request, so nothing of it has begun."""


class BoundWorker:
    """A worker that has a session's directory. One call at a time: its owner sees to that."""

    def __init__(self, worker: Worker, binding: Binding, directory: int) -> None:
        """``directory`` stays the caller's to close."""
        self._worker = worker
        self._told: set[str] = set()  # plans whose text it has
        self._body: bytes | None = None
        self._reply: asyncio.Future[Answer] | None = None
        self._max_result = binding.max_result
        self._longest = 0
        self._clock = CpuClock(worker.pidfd)
        self.worn = False
        # Until it is known that it has the session's file open, and not one that was being deleted.
        self.unsettled: Identity | None = identity_of(directory)
        self.had_data = False
        limits = {
            wire.Kind.BODY: max(binding.max_result, _DESCRIPTION_BYTES),
            wire.Kind.REPLY: wire.MAX_ENVELOPE_BYTES,
        }
        worker.listen(limits, self)
        worker.send_with_descriptor(wire.encode_json(wire.Kind.BIND, binding), directory)

    @property
    def usable(self) -> bool:
        """Whether it can take a call."""
        return not (self.worn or self._worker.closed or self._worker.gone.is_set())

    async def answer(self, call: Call, spent: Spent) -> Answer:
        """Body and reply. What the worker uses for it, and has used since the call before, is added to
        ``spent``. WorkerLost when it died, NotTaken when it was dead already. Cancelling kills it;
        SQLite undoes what it had begun."""
        first = call.plan_id not in self._told
        self._told.add(call.plan_id)
        message = wire.encode_json(wire.Kind.CALL, call if first else replace(call, block=None))
        self._longest = self._max_result
        try:
            answer = await self._exchange(message, None)
        finally:
            spent.cpu += self._clock.since_last()
        self.worn = self.worn or len(self._told) > _MAX_PLANS
        return answer

    async def operate(self, operation: Operation, file: int | None) -> Answer:
        """The same for an operation; ``file`` stays the caller's to close."""
        self._longest = _DESCRIPTION_BYTES
        self.worn = self.worn or operation.name == END  # whatever it says
        return await self._exchange(wire.encode_json(wire.Kind.OPERATE, operation), file)

    def cut_off(self) -> None:
        """End it; what runs is answered WorkerLost."""
        self._fail("the service is shutting down")
        self.destroy()

    def destroy(self) -> None:
        """End it."""
        self._worker.destroy()

    async def _exchange(self, message: bytes, file: int | None) -> Answer:
        self._reply = asyncio.get_running_loop().create_future()
        self._body = None
        try:
            if file is None:
                self._worker.send(message)
            else:
                self._worker.send_with_descriptor(message, file)
            if self._worker.deaf:
                raise NotTaken
            body, reply = await self._reply
        except BaseException:
            self.destroy()
            raise
        finally:
            self._reply = None
        self.worn = self.worn or reply.last
        return body, reply

    def on_frame(self, frame: wire.Frame) -> None:
        if self._reply is None or self._reply.done():
            raise wire.WireError(f"{frame.kind.name} that nobody asked for")
        if frame.kind is wire.Kind.BODY and self._body is None and len(frame.payload) <= self._longest:
            wire.check_json(frame.payload)
            self._body = frame.payload
        elif frame.kind is wire.Kind.REPLY:
            self._reply.set_result((self._body, Reply.from_wire(wire.decode_object(frame))))
        else:
            raise wire.WireError(f"{frame.kind.name} out of turn")

    def on_broken(self) -> None:
        self._died("protocol")

    def on_dead(self) -> None:
        self._died("exit")

    def on_lost(self) -> None:
        self._died("zygote")

    def _died(self, how: str) -> None:
        if not self._worker.closed:
            status = self._worker.exit.status if self._worker.exit is not None else None
            said = read_stream(self._worker.stderr, _SAID_BYTES).text.rstrip("\0")
            log.error("session_worker_died", how=how, status=status, said=said)
        self._fail("the session's worker died under the request; send it again if that does no harm")

    def _fail(self, detail: str) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(WorkerLost(detail))
