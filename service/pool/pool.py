"""The set of workers of one front: some idle, some busy, a bounded queue before them.

Every job gets a worker of its own (domain OneShot), made before the job came. Queue time counts against the
job's deadline, and a queue that is full refuses at once with the seconds after which a retry is worth it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

import structlog

from sandbox_runtime import wire
from sandbox_runtime.job import Program
from service.errors import NotReady, Overloaded, QueueTimeout, WorkerLost
from service.pool.channel import Channel
from service.pool.job import Job, JobLimits, Outcome
from service.pool.oneshot import OneShotRun
from service.pool.worker import Worker

log = structlog.get_logger(__name__)
_PROOF = Program(code="result = 6 * 7")
_PROOF_LIMITS = JobLimits(timeout=10.0, cpu=10.0, memory=256 << 20, file_size=1 << 20, output=4096)
_MAX_START_FAILURES = 5
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
    workers count as sound at once: another pool runs programs in the same zygotes."""

    def __init__(self, size: PoolSize, *, prove_first: bool = True) -> None:
        self._size = size
        self._prove_first = prove_first
        self.on_proven: Callable[[int], None] = _ignore
        self.on_broken: Callable[[int], None] = _ignore
        self._loop = asyncio.get_running_loop()
        self._channels: list[Channel] = []
        self._idle: deque[tuple[Channel, Worker]] = deque()
        self._waiting: deque[asyncio.Future[tuple[Channel, Worker]]] = deque()
        self._busy = 0
        self._service_time = 0.01
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._top_up: asyncio.TimerHandle | None = None
        self._closed = False

    # -- zygotes ---------------------------------------------------------------------------------------

    def add(self, channel: Channel) -> None:
        """A zygote has come. It counts as ready when one of its workers has run a program."""
        self._channels.append(channel)
        self._refill()

    def keep_idle(self, count: int) -> None:
        """From now on so many are kept ready."""
        if count != self._size.idle:
            self._size = replace(self._size, idle=count)
            self._refill()

    def retire(self, identity: int) -> None:
        """Ask this zygote for nothing more; let go of it when its last busy worker is done."""
        for channel in [c for c in self._channels if c.identity == identity]:
            channel.retired = True
            for entry in [e for e in self._idle if e[0] is channel]:
                self._idle.remove(entry)
                entry[1].destroy()
            self._close_if_finished(channel)
        self._refill()

    async def close(self) -> None:
        """End every worker, and wait for the work on them."""
        self.cut_off()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_off(self) -> None:
        """End every worker: what runs on one is answered WorkerLost, what still waits for one NotReady."""
        self._closed = True
        if self._top_up is not None:
            self._top_up.cancel()
        for future in self._waiting:
            if not future.done():
                future.set_exception(NotReady())
        for task in self._tasks:
            task.cancel()
        for _, worker in self._idle:
            worker.destroy()
        self._idle.clear()
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
        return bool(self._waiting)

    def figures(self) -> dict[str, int]:
        """What the pool has just now, counted."""
        return {
            "zygotes": len(self._channels),
            "idle": len(self._idle),
            "starting": sum(channel.starting for channel in self._channels),
            "busy": self._busy,
            "waiting": len(self._waiting),
        }

    # -- jobs ------------------------------------------------------------------------------------------

    def refuse_if_full(self) -> None:
        """Overloaded when a job that came now would be refused: ask before anything is spent on it."""
        if not self._idle and len(self._waiting) >= self._size.queue:
            raise Overloaded(
                f"{self._busy} programs run and {len(self._waiting)} wait (LARS_MAX_WORKERS, "
                "LARS_QUEUE_SIZE), so the request was refused and nothing ran",
                retry_after=self._retry_after(),
            )

    async def run(self, job: Job) -> Outcome:
        """Run one job in a worker of its own.

        Raises Overloaded when pool and queue are full, QueueTimeout when the deadline passes before a worker
        is free (there may be no zygote just then), NotReady when the pool is closed, WorkerLost when the
        zygote died under the job.
        """
        began = time.monotonic()
        worker = await self.lease(job.deadline)
        now = time.monotonic()
        self._busy += 1
        try:
            return await OneShotRun(worker, job).run(now - began)
        finally:
            self._busy -= 1
            self._service_time += 0.1 * (time.monotonic() - now - self._service_time)

    async def lease(self, deadline: float) -> Worker:
        """A worker that is the caller's from now on. Raises as ``run`` does."""
        if self._closed:
            raise NotReady
        if self._idle and not self._waiting:
            _, worker = self._idle.popleft()
            self._refill()
            return worker
        channel, worker = await self._wait(deadline)
        while channel.closed:  # it died between the offer and now, and nothing has run: wait for another
            channel, worker = await self._wait(deadline)
        return worker

    async def _wait(self, deadline: float) -> tuple[Channel, Worker]:
        self.refuse_if_full()
        future: asyncio.Future[tuple[Channel, Worker]] = self._loop.create_future()
        self._waiting.append(future)
        self._refill()
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                return await future
        except BaseException as error:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._offer(*future.result())  # given up just as a worker came: it goes to the next
            elif future in self._waiting:
                self._waiting.remove(future)
            if isinstance(error, TimeoutError):
                raise QueueTimeout(retry_after=self._retry_after()) from error
            raise

    def _retry_after(self) -> int:
        """Whole seconds until the queue as it stands will have been served."""
        ahead = len(self._waiting) + self._busy
        return max(1, math.ceil(ahead * self._service_time / self._size.workers))

    # -- what channels tell ----------------------------------------------------------------------------

    def on_ready(self, channel: Channel, worker: Worker) -> None:
        if channel.retired:
            worker.destroy()
        elif self._prove_first and not channel.proof_begun:
            channel.proof_begun = True
            self._start(self._prove(channel, worker))
        else:
            self._offer(channel, worker)

    def on_failed(self, channel: Channel, message: wire.Failed) -> None:
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
        if (channel, worker) in self._idle:
            self._idle.remove((channel, worker))
            worker.destroy()
        self._close_if_finished(channel)
        self._refill()

    def on_closed(self, channel: Channel) -> None:
        self._channels.remove(channel)
        self._idle = deque(entry for entry in self._idle if entry[0] is not channel)
        self._changed.set()
        if not self._closed:
            log.info("zygote_gone", zygote=channel.identity, retired=channel.retired)
        self._refill()

    # -- inside ----------------------------------------------------------------------------------------

    def _offer(self, channel: Channel, worker: Worker) -> None:
        if channel.closed:
            return
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result((channel, worker))
                return
        if channel.retired:
            worker.destroy()
        else:
            self._idle.append((channel, worker))

    def _refill(self, least: int | None = None) -> None:
        """Ask for the workers that are missing: idle ones kept ready, and one for each job that waits. When
        none waits, fewer than ``least`` have time."""
        usable = [channel for channel in self._channels if not channel.retired]
        if not usable or self._closed:
            return
        starting = sum(channel.starting for channel in usable)
        wanted = self._size.idle + len(self._waiting) - len(self._idle) - starting
        least = least or self._size.idle // _REFILL_PARTS
        if not self._waiting and 0 < wanted < least:
            self._top_up_later()  # a message wakes the zygote: ask for several at once
        elif wanted > 0:
            self._spawn(usable, wanted)

    def _top_up_later(self) -> None:
        if self._top_up is None:
            self._top_up = self._loop.call_later(_TOP_UP_SECONDS, self._refill_to_the_brim)

    def _refill_to_the_brim(self) -> None:
        self._top_up = None
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
