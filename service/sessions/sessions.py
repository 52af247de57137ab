"""The sessions that are in use on this front: for each one worker, and its requests in a row.

A worker is bound to a session with its first request and stays for the next; when there are more sessions
than workers may be, the one that has rested longest gives its worker back. Data are on the disk at every
commit, so a worker may go at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.call import END, Binding, Call, Operation, Reply, Trouble
from sandbox_runtime.domain import Session
from service.control.bulletin import Bulletin
from service.errors import IdempotencyConflict, RunTimeout
from service.pool.dialogue import NotTaken
from service.pool.job import Spent
from service.pool.lending import Lending, LendingSize
from service.pool.pool import Pool
from service.pool.shares import payer_of
from service.sessions.call import Answer, BoundWorker
from service.sessions.directory import digest_of, look, open_or_make
from service.sessions.options import OptionFiles
from service.sessions.storage import in_storage
from service.settings import Settings
from service.telemetry.catalog import KILLS, RUN_SECONDS, SESSIONS_CREATED
from service.telemetry.spans import Span

_GONE = "session_gone"
_DELETING_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """``workers``: how many sessions may have one at once; ``queue``: how many requests of one session may
    wait; ``rest``: seconds after which a worker without requests is let go."""

    root: Path
    binding: Binding
    workers: int
    queue: int
    rest: float


def session_limits(settings: Settings) -> SessionLimits:
    """From the settings."""
    binding = Binding(
        memory=settings.memory,
        quota=settings.session_quota,
        max_result=settings.max_result_bytes,
        full_sync=settings.session_sync == "full",
    )
    return SessionLimits(
        settings.data_root, binding, settings.session_workers, settings.session_queue, settings.session_idle
    )


class Sessions:
    """All sessions of one front. ``workers`` is the pool that new ones come from; ``bulletin`` that of the
    fronts that it is one of."""

    def __init__(self, workers: Pool, limits: SessionLimits, bulletin: Bulletin) -> None:
        self.workers = workers
        self.options = OptionFiles(limits.root, bulletin)
        self._bulletin = bulletin
        self._limits = limits
        size = LendingSize(limits.workers, limits.queue, limits.rest, "session")
        self._lending = Lending(workers, size, self._bind, _principal)
        self._keys: set[tuple[Session, str]] = set()  # idempotency keys of requests that run

    async def call(self, session: Session, call: Call, deadline: float, spent: Spent) -> Answer:
        """Body and reply to one call; ``deadline`` is a ``time.monotonic()`` value. The worker's CPU time is
        added to ``spent``.

        Raises Overloaded when too many wait for this session, QueueTimeout when its turn did not come in
        time, RunTimeout when the plan ran past the deadline, WorkerLost when the worker died, Conflict while
        another request with the same Idempotency-Key runs.
        """
        if call.replay is None:
            return await self._answered(session, call, deadline, spent)
        key = session, call.replay.key
        if key in self._keys:
            raise IdempotencyConflict
        self._keys.add(key)
        try:
            return await self._answered(session, call, deadline, spent)
        finally:
            self._keys.remove(key)

    async def _answered(self, session: Session, call: Call, deadline: float, spent: Spent) -> Answer:
        with Span("session turn") as span:
            answer = await self._in_turn(session, deadline, lambda worker: worker.answer(call, spent))
            ran = answer[1].run
            RUN_SECONDS.observe(ran, Session.kind)
            if span.trace is not None:
                span.trace.add("run", (now := time.monotonic()) - ran, now)
        return answer

    async def operate(
        self, session: Session, operation: Operation, deadline: float, file: int | None = None
    ) -> Answer:
        """The same for an operation on the session as a whole. END is asked for once: who is told that the
        session is gone has come too late to end it."""
        if operation.name == END:
            return await self._once(session, deadline, lambda worker: worker.operate(operation, file))
        return await self._in_turn(session, deadline, lambda worker: worker.operate(operation, file))

    async def _in_turn(
        self, session: Session, deadline: float, ask: Callable[[BoundWorker], Awaitable[Answer]]
    ) -> Answer:
        """Again while the data are being deleted under us: the next worker begins with none."""
        pause = _DELETING_SECONDS
        while True:
            body, reply = await self._once(session, deadline, ask)
            gone = reply.trouble is not None and reply.trouble.code == _GONE
            if not gone or time.monotonic() + pause > deadline:
                return body, reply
            await asyncio.sleep(pause)
            pause *= 2  # a worker may say so for ever

    async def _once(
        self, session: Session, deadline: float, ask: Callable[[BoundWorker], Awaitable[Answer]]
    ) -> Answer:
        place = await self._lending.enter(session, deadline)
        try:
            while True:
                worker = await self._lending.worker(session, place, deadline)
                async with asyncio.timeout(deadline - time.monotonic()):
                    with contextlib.suppress(NotTaken):
                        return await self._settled(session, worker, await ask(worker))
        except TimeoutError as error:
            KILLS.add(Session.kind, "timeout")
            raise RunTimeout from error
        finally:
            self._lending.leave(session, place)

    async def _settled(self, session: Session, worker: BoundWorker, answer: Answer) -> Answer:
        """Until it has the session's file open, a worker's answer counts only when its directory is still the
        session's: it may have been removed since we opened it. A worker has the file open after a request
        that came when it was there. Later, the file says so; or the bulletin, where nothing could be written
        into it."""
        trouble = answer[1].trouble
        if trouble is not None and trouble.code == _GONE:
            worker.worn = True
        number = self._bulletin.number(worker.subject)
        if worker.settled == number:
            return answer
        current, has_data = await in_storage(look, self._limits.root, session, worker.identity)
        if current:
            worker.settled = number if worker.had_data else None
            worker.had_data = has_data
            return answer
        worker.worn = True
        return None, Reply(409, trouble=Trouble(_GONE, "the session was deleted under this request"))

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return self._lending.in_line

    def bound(self) -> list[Session]:
        """Those that have a worker."""
        return self._lending.bound()

    def retire(self, identity: int) -> None:
        """A zygote is worn: bound workers that rest are let go, whichever zygote they are of."""
        self._lending.retire(identity)

    def cut_off(self) -> None:
        """End every worker; what runs on one is answered WorkerLost."""
        self._lending.cut_off()

    async def close(self) -> None:
        """``cut_off``, and wait for the work on them."""
        await self._lending.close()

    async def _bind(self, session: Session, deadline: float) -> BoundWorker:
        directory, made = await in_storage(open_or_make, self._limits.root, session)
        try:
            if made:
                SESSIONS_CREATED.add()
            # Bound at once: a worker that nobody listens to is gone with its zygote, without a word.
            worker = await self.workers.lease(deadline, payer_of(session.principal))
            return BoundWorker(worker, self._limits.binding, directory, digest_of(session))
        finally:
            os.close(directory)


def _principal(session: Session) -> str:
    return session.principal
