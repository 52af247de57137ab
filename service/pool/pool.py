"""The set of workers of one front: some idle, some busy, a bounded queue before them.

Every job gets a worker of its own (domain OneShot), made before the job came. Queue time counts against the
job's deadline, and a queue that is full refuses at once with the seconds after which a retry is worth it.
Which of several principals gets what is decided in ``handout``.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

import structlog

from sandbox_runtime import wire
from sandbox_runtime.job import Program
from service.errors import NotReady, Overloaded, QueueTimeout, WorkerLost
from service.pool.channel import SHORT, Channel
from service.pool.handout import Entry, Handout
from service.pool.job import Job, JobLimits, Outcome
from service.pool.later import Later
from service.pool.oneshot import OneShotRun
from service.pool.shares import EXEMPT, niceness
from service.pool.worker import Worker

log = structlog.get_logger(__name__)
_PROOF = Program(code="result = 6 * 7")
_PROOF_LIMITS = JobLimits(timeout=10.0, cpu=10.0, memory=256 << 20, file_size=1 << 20, output=4096)
_MAX_START_FAILURES = 5
_HUNGRY_SECONDS = 1.0
_REFILL_PARTS = 4
_TOP_UP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class PoolSize:
    """``idle`` workers are kept ready, at most ``workers`` exist, at most ``queue`` jobs wait."""

    idle: int
    workers: int
    queue: int


class Pool:
    """Workers for jobs. All methods run on one event loop. ``on_proven(identity)`` is called for a zygote in
    which a program has run, ``on_broken(identity)`` for one in which none can. Without ``prove_first`` its
    workers count as sound at once: another pool runs programs in the same zygotes. Without ``by_shares`` a
    principal may have all workers, and only those who wait for one are served in turn."""

    def __init__(self, size: PoolSize, *, prove_first: bool = True, by_shares: bool = True) -> None:
        self._size = size
        self._prove_first = prove_first
        self.on_proven: Callable[[int], None] = _ignore
        self.on_broken: Callable[[int], None] = _ignore
        self._loop = asyncio.get_running_loop()
        self._channels: list[Channel] = []
        self._handout = Handout(size.workers, size.queue, by_shares=by_shares)
        self._busy = 0
        self._running: Counter[str] = Counter()  # without those that have ended and are not yet gone
        self._service_time = 0.01
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._top_up = Later(self._loop, _TOP_UP_SECONDS, self._refill_to_the_brim)
        self._hunger = Later(self._loop, _HUNGRY_SECONDS, self._refill_to_the_brim)
        self._closed = False

    # -- zygotes ---------------------------------------------------------------------------------------

    def add(self, channel: Channel) -> None:
        """A zygote has come. It counts as ready when one of its workers has run a program."""
        self._channels.append(channel)
        self._refill()

    def prove_all(self) -> None:
        """Have each zygote prove itself, also where no worker is missing: who brought it waits for that."""
        for channel in list(self._channels):
            if not (channel.proof_begun or channel.retired or channel.starting):
                channel.spawn(1)

    def keep_idle(self, count: int) -> None:
        """From now on so many are kept ready."""
        if count != self._size.idle:
            self._size = replace(self._size, idle=count)
            self._refill()

    def retire(self, identity: int) -> None:
        """Ask this zygote for nothing more; let go of it when its last busy worker is done."""
        for channel in [c for c in self._channels if c.identity == identity]:
            channel.retired = True
            self._handout.drop(channel)
            self._close_if_finished(channel)
        self._refill()

    async def close(self) -> None:
        """End every worker, and wait for the work on them."""
        self.cut_off()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_off(self) -> None:
        """End every worker: what runs on one is answered WorkerLost, what still waits for one NotReady."""
        self._closed = True
        self._top_up.cancel()
        self._hunger.cancel()
        for task in self._tasks:
            task.cancel()
        self._handout.close(NotReady)
        for channel in list(self._channels):
            channel.close()

    @property
    def ready(self) -> bool:
        """Whether a worker of a living zygote has run a program."""
        return any(channel.proven for channel in self._channels)

    async def wait_ready(self) -> None:
        """Return when ``ready`` has become true."""
        while not self.ready:
            self._changed.clear()
            await self._changed.wait()

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for a worker."""
        return self._handout.waiting > 0

    @property
    def held(self) -> int:
        """Workers that somebody has: that run a job, or are lent, or are not gone yet."""
        return self._handout.held_in_all

    def figures(self) -> dict[str, int]:
        """What the pool has just now, counted."""
        return {
            "zygotes": len(self._channels),
            "idle": self._handout.idle,
            "starting": sum(channel.starting for channel in self._channels),
            "busy": self._busy,
            "waiting": self._handout.waiting,
        }

    # -- jobs ------------------------------------------------------------------------------------------

    def refuse_if_full(self, principal: str = EXEMPT) -> None:
        """Overloaded when a job of this principal that came now would be refused: ask before anything is
        spent on it."""
        if not self._handout.admits(principal):
            raise Overloaded(self._why_full(principal), retry_after=self._retry_after())

    def _why_full(self, principal: str) -> str:
        held, waiting = self._handout.held(principal), self._handout.waiting_of(principal)
        if principal == EXEMPT or self._handout.waiting >= self._size.queue:
            return (
                f"{self._busy} programs run and {self._handout.waiting} wait (LARS_MAX_WORKERS, "
                "LARS_QUEUE_SIZE), so the request was refused and nothing ran"
            )
        return (
            f"{held} of the caller's own requests run and {waiting} wait, which is the share that one caller "
            "may have of LARS_MAX_WORKERS and LARS_QUEUE_SIZE, so the request was refused and nothing ran"
        )

    async def run(self, job: Job) -> Outcome:
        """Run one job in a worker of its own.

        Raises Overloaded when pool and queue are full, QueueTimeout when the deadline passes before a worker
        is free (there may be no zygote just then), NotReady when the pool is closed, WorkerLost when the
        zygote died under the job.
        """
        began = time.monotonic()
        worker = await self.lease(job.deadline, job.principal)
        now = time.monotonic()
        self._busy += 1
        self._running[job.principal] += 1
        try:
            return await OneShotRun(worker, job, self._niceness_of(job.principal)).run(now - began)
        finally:
            self._busy -= 1
            self._running[job.principal] -= 1
            if not self._running[job.principal]:
                del self._running[job.principal]
            self._service_time += 0.1 * (time.monotonic() - now - self._service_time)

    async def lease(self, deadline: float, principal: str = EXEMPT) -> Worker:
        """A worker that is the caller's from now on. Raises as ``run`` does."""
        if self._closed:
            raise NotReady
        if deadline <= time.monotonic():  # an idle worker could still be quicker than the clock of its job
            raise QueueTimeout(retry_after=self._retry_after())
        worker = self._handout.take(principal)
        if worker is not None:
            self._refill()
            return worker
        channel, worker = await self._wait(deadline, principal)
        while channel.closed:  # it died between the offer and now, and nothing has run: wait for another
            channel, worker = await self._wait(deadline, principal)
        return worker

    async def _wait(self, deadline: float, principal: str) -> Entry:
        self.refuse_if_full(principal)
        future: asyncio.Future[Entry] = self._loop.create_future()
        self._handout.wait(principal, future)
        self._refill()
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                return await future
        except BaseException as error:
            self._handout.give_up(principal, future)
            if isinstance(error, TimeoutError):
                raise QueueTimeout(retry_after=self._retry_after()) from error
            raise

    def _niceness_of(self, principal: str) -> int:
        return 0 if principal == EXEMPT else niceness(self._running[principal])

    def _retry_after(self) -> int:
        """Whole seconds until the queue as it stands will have been served."""
        ahead = self._handout.waiting + self._busy
        return max(1, math.ceil(ahead * self._service_time / self._size.workers))

    # -- what channels tell ----------------------------------------------------------------------------

    def on_ready(self, channel: Channel, worker: Worker) -> None:
        if channel.retired:
            worker.destroy()
        elif self._prove_first and not channel.proof_begun:
            channel.proof_begun = True
            self._start(self._prove(channel, worker))
        else:
            self._handout.offer(channel, worker)

    def on_failed(self, channel: Channel, message: wire.Failed) -> None:
        known = channel.proven or channel.proven_elsewhere or not self._prove_first
        if message.step in (wire.FORK, wire.STARVED, SHORT) and known:
            # Others use up the numbers of processes, or the memory; connections and workers the descriptors
            # of this process. It is of use again when they end.
            channel.start_failures -= 1
            if not self._closed and self._hunger.ask():  # once, however many could not be had
                log.warning("worker_starved", step=message.step, reason=message.message)
            return
        failures = channel.start_failures
        log.error("worker_start_failed", step=message.step, reason=message.message, failures=failures)
        if failures >= _MAX_START_FAILURES:
            # Could not start is not died: a zygote whose workers cannot enter the jail is of no use.
            channel.close()
            self.on_broken(channel.identity)
        else:
            self._loop.call_later(0.1 * 2**failures, self._refill)

    def on_unusable(self, channel: Channel, why: str) -> None:
        log.error("zygote_unusable", zygote=channel.identity, reason=why)
        self.on_broken(channel.identity)

    def on_exited(self, channel: Channel, worker: Worker) -> None:
        self._handout.drop_dead(channel, worker)
        self._close_if_finished(channel)
        self._refill()

    def on_closed(self, channel: Channel) -> None:
        self._channels.remove(channel)
        self._handout.drop(channel)
        self._changed.set()
        if not self._closed:
            log.info("zygote_gone", zygote=channel.identity, retired=channel.retired)
        self._refill()

    # -- inside ----------------------------------------------------------------------------------------

    def _refill(self, least: int | None = None) -> None:
        """Ask for the workers that are missing: idle ones kept ready, and one for each job that waits. When
        none waits, fewer than ``least`` have time."""
        usable = [channel for channel in self._channels if not channel.retired]
        if not usable or self._closed:
            return
        starting = sum(channel.starting for channel in usable)
        waiting = self._handout.waiting
        wanted = self._size.idle + waiting - self._handout.idle - starting
        least = least or self._size.idle // _REFILL_PARTS
        if not waiting and 0 < wanted < least:
            self._top_up.ask()  # a message wakes the zygote: ask for several at once
        elif wanted > 0:
            self._spawn(usable, wanted)

    def _refill_to_the_brim(self) -> None:
        self._refill(least=1)

    def _spawn(self, usable: list[Channel], wanted: int) -> None:
        live = sum(channel.live for channel in self._channels)
        missing = min(wanted, self._size.workers - live)
        share = math.ceil(missing / len(usable))
        for channel in sorted(usable, key=_live):
            if missing > 0:
                channel.spawn(min(share, missing))
                missing -= share

    async def _prove(self, channel: Channel, worker: Worker) -> None:
        """Run one program in the first worker of a zygote."""
        job = Job(_PROOF, _PROOF_LIMITS, time.monotonic() + _PROOF_LIMITS.timeout)
        try:
            outcome = await OneShotRun(worker, job).run(0.0)
        except WorkerLost:
            return  # its zygote died; the next one proves itself
        if outcome.result == b"42":
            channel.proven = True
            self._changed.set()
            self.on_proven(channel.identity)
            return
        # Not as "stderr", which the log withholds: this program is ours.
        said = outcome.stderr.text
        log.error("worker_proof_failed", verdict=outcome.verdict, detail=outcome.detail, said=said)
        channel.failed_proofs += 1
        if channel.proven_elsewhere and channel.failed_proofs < _MAX_START_FAILURES:
            channel.proof_begun = False
            self._loop.call_later(_HUNGRY_SECONDS, self.prove_all)
            return
        channel.close()
        self.on_broken(channel.identity)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _close_if_finished(self, channel: Channel) -> None:
        if channel.retired and not channel.live:
            channel.close()


def _live(channel: Channel) -> int:
    return channel.live


def _ignore(_: int) -> None:
    """Nobody asked to be told."""
