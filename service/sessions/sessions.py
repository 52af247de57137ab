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
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox_runtime.call import END, Binding, Call, Operation, Reply, Trouble
from sandbox_runtime.domain import Session
from service.errors import IdempotencyConflict, Overloaded, QueueTimeout, RunTimeout
from service.pool.job import Spent
from service.pool.pool import Pool
from service.pool.shares import payer_of
from service.sessions.call import Answer, BoundWorker, NotTaken
from service.sessions.directory import look, open_directory
from service.sessions.options import OptionFiles
from service.sessions.storage import in_storage
from service.settings import Settings

_GONE = "session_gone"
SPARE_WORKERS = 2  # kept ready for sessions to come, once there has been one
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


@dataclass(slots=True)
class _Entry:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    worker: BoundWorker | None = None
    waiting: int = 0
    keys: set[str] = field(default_factory=set)  # idempotency keys of requests that run
    used: float = 0.0


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
    """All sessions of one front. ``workers`` is the pool that new ones come from."""

    def __init__(self, workers: Pool, limits: SessionLimits) -> None:
        self.workers = workers
        self.options = OptionFiles(limits.root)
        self._limits = limits
        self._entries: dict[Session, _Entry] = {}
        self._bound: OrderedDict[Session, _Entry] = OrderedDict()  # with a worker, the longest unused first
        self._sweeper: asyncio.TimerHandle | None = None

    async def call(self, session: Session, call: Call, deadline: float, spent: Spent) -> Answer:
        """Body and reply to one call; ``deadline`` is a ``time.monotonic()`` value. The worker's CPU time is
        added to ``spent``.

        Raises Overloaded when too many wait for this session, QueueTimeout when its turn did not come in
        time, RunTimeout when the plan ran past the deadline, WorkerLost when the worker died, Conflict while
        another request with the same Idempotency-Key runs.
        """
        entry = self._entry(session)
        key = call.replay.key if call.replay is not None else None
        if key is not None and key in entry.keys:
            raise IdempotencyConflict
        if key is None:
            return await self._in_turn(session, deadline, lambda worker: worker.answer(call, spent))
        entry.keys.add(key)
        try:
            return await self._in_turn(session, deadline, lambda worker: worker.answer(call, spent))
        finally:
            entry.keys.remove(key)

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
            if reply.trouble is None or reply.trouble.code != _GONE or time.monotonic() > deadline:
                return body, reply
            await asyncio.sleep(pause)
            pause *= 2  # a worker may say so for ever

    async def _once(
        self, session: Session, deadline: float, ask: Callable[[BoundWorker], Awaitable[Answer]]
    ) -> Answer:
        entry = self._enter(session)
        try:
            if entry.turn.locked():
                async with asyncio.timeout(deadline - time.monotonic()):
                    await entry.turn.acquire()
            else:
                await entry.turn.acquire()  # at once
        except TimeoutError as error:
            raise QueueTimeout from error
        finally:
            entry.waiting -= 1
        try:
            while True:
                worker = await self._worker_of(session, entry, deadline)
                async with asyncio.timeout(deadline - time.monotonic()):
                    with contextlib.suppress(NotTaken):
                        return await self._settled(session, worker, await ask(worker))
        except TimeoutError as error:
            raise RunTimeout from error
        finally:
            entry.used = time.monotonic()
            # When other sessions wait for a worker, this one gives its own up after each request.
            if self.workers.awaited or (entry.worker is not None and not entry.worker.usable):
                self._dismiss(session, entry)
            entry.turn.release()

    async def _settled(self, session: Session, worker: BoundWorker, answer: Answer) -> Answer:
        """Until it has the session's file open, a worker's answer counts only when its directory is still the
        session's: it may have been removed since we opened it. Later, the file says so. It has it open after
        a request that came when the file was there."""
        trouble = answer[1].trouble
        if trouble is not None and trouble.code == _GONE:
            worker.worn = True
        if worker.unsettled is None:
            return answer
        current, has_data = await in_storage(look, self._limits.root, session, worker.unsettled)
        if current:
            worker.unsettled = None if worker.had_data else worker.unsettled
            worker.had_data = has_data
            return answer
        worker.worn = True
        return None, Reply(409, trouble=Trouble(_GONE, "the session was deleted under this request"))

    def bound(self) -> list[Session]:
        """Those that have a worker."""
        return list(self._bound)

    def retire(self, identity: int) -> None:
        """A zygote is worn: bound workers that rest are let go, whichever zygote they are of."""
        self.workers.retire(identity)
        for session, entry in list(self._bound.items()):
            if not entry.turn.locked():
                self._dismiss(session, entry)
            elif entry.worker is not None:
                entry.worker.worn = True

    def cut_off(self) -> None:
        """End every worker; what runs on one is answered WorkerLost."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for entry in self._bound.values():
            if entry.worker is not None:
                entry.worker.cut_off()
        self.workers.cut_off()

    async def close(self) -> None:
        """``cut_off``, and wait for the work on them."""
        self.cut_off()
        await self.workers.close()

    def _entry(self, session: Session) -> _Entry:
        entry = self._entries.get(session)
        if entry is None:
            entry = self._entries[session] = _Entry()
        return entry

    def _enter(self, session: Session) -> _Entry:
        entry = self._entry(session)
        if entry.waiting >= self._limits.queue:
            raise Overloaded(f"{entry.waiting} requests of this session wait already")
        entry.waiting += 1
        return entry

    async def _worker_of(self, session: Session, entry: _Entry, deadline: float) -> BoundWorker:
        if entry.worker is None or not entry.worker.usable:
            self._dismiss(session, entry)
            self._make_room()
            self._sweep_later()
            self.workers.keep_idle(SPARE_WORKERS)
            directory = await in_storage(open_directory, self._limits.root, session)
            try:
                # Bound at once: a worker that nobody listens to is gone with its zygote, without a word.
                worker = await self.workers.lease(deadline, payer_of(session.principal))
                entry.worker = BoundWorker(worker, self._limits.binding, directory)
            finally:
                os.close(directory)
            self._bound[session] = entry
        self._bound.move_to_end(session)
        return entry.worker

    def _make_room(self) -> None:
        """Of those with sessions at rest, whoever has most workers lets go of one: the longest at rest."""
        if len(self._bound) < self._limits.workers:
            return
        resting = [session for session, entry in self._bound.items() if not entry.turn.locked()]
        count = Counter(session.principal for session in self._bound)
        if resting:
            longest = max(resting, key=lambda session: count[session.principal])
            self._dismiss(longest, self._bound[longest])

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._limits.rest, self._sweep)

    def _sweep(self) -> None:
        """Let go of workers that have rested long, and forget sessions without one."""
        self._sweeper = None
        before = time.monotonic() - self._limits.rest
        for session, entry in list(self._entries.items()):
            if entry.waiting or entry.keys or entry.turn.locked():
                continue
            if entry.used <= before:
                self._dismiss(session, entry)
            if entry.worker is None:
                del self._entries[session]
        if self._entries:
            self._sweep_later()

    def _dismiss(self, session: Session, entry: _Entry) -> None:
        self._bound.pop(session, None)
        if entry.worker is not None:
            entry.worker.destroy()
            entry.worker = None
