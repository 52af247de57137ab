"""One session's worker as its front sees it: bound once, then one call after another."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sandbox_runtime import wire
from sandbox_runtime.call import END, Binding, Call, Operation, Reply
from service.control.bulletin import session_subject
from service.pool.dialogue import Dialogue, Manner
from service.pool.job import Spent
from service.pool.worker import Worker
from service.sessions.directory import Identity, identity_of

Answer = tuple[bytes | None, Reply]
_MAX_PLANS = 500  # whose compiled code a worker keeps
_DESCRIPTION_BYTES = 8 << 20  # a description of a session may be longer than a plan's result
_DIED = "the session's worker died under the request; send it again if that does no harm"


class BoundWorker(Dialogue[Reply]):
    """A worker that has a session's directory.

    ``settled``: the number that the bulletin had of ``subject`` when it was known that the worker has the
    session's file open, and not one that was being deleted; None before. ``identity``: of its directory."""

    def __init__(self, worker: Worker, binding: Binding, directory: int, digest: str) -> None:
        """``directory`` stays the caller's to close. ``digest``: of the session."""
        self._told: set[str] = set()  # plans whose text it has
        self._max_result = binding.max_result
        self.subject: Final = session_subject(digest)
        self.identity: Final[Identity] = identity_of(directory)
        self.settled: int | None = None
        self.had_data = False
        longest = max(binding.max_result, _DESCRIPTION_BYTES)
        manner = Manner({wire.Kind.REPLY: Reply.from_wire}, longest, "session_worker_died", _DIED, "session")
        super().__init__(worker, manner, wire.encode_json(wire.Kind.BIND, binding), directory)

    async def answer(self, call: Call, spent: Spent) -> Answer:
        """Body and reply. What the worker uses for it, and has used since the call before, is added to
        ``spent``. WorkerLost when it died, NotTaken when it was dead already. Cancelling kills it;
        SQLite undoes what it had begun."""
        first = call.plan_id not in self._told
        self._told.add(call.plan_id)
        message = wire.encode_json(wire.Kind.CALL, call if first else replace(call, block=None))
        try:
            body, reply = await self.ask(message, self._max_result)
        finally:
            spent.cpu += self.clock.since_last()
        self.worn = self.worn or reply.last or len(self._told) > _MAX_PLANS
        return body, reply

    async def operate(self, operation: Operation, file: int | None) -> Answer:
        """The same for an operation; ``file`` stays the caller's to close."""
        self.worn = self.worn or operation.name == END  # whatever it says
        message = wire.encode_json(wire.Kind.OPERATE, operation)
        body, reply = await self.ask(message, _DESCRIPTION_BYTES, file)
        self.worn = self.worn or reply.last
        return body, reply
