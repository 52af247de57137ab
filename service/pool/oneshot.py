"""A one-shot worker as its front sees it: one job, one end.

The deadline, the CPU budget, an error on its channel and a cancelled request all end the same way: it is
killed and never used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from sandbox_runtime import wire
from sandbox_runtime.job import Limits, Report
from service.errors import WorkerLost
from service.pool.cpu_clock import cpu_seconds
from service.pool.job import Job, Outcome, Timing, Usage
from service.pool.output import read_stream
from service.pool.value import check_value
from service.pool.verdict import Ending, KillReason, conclude
from service.pool.worker import Worker
from service.telemetry.catalog import KILLS

_CPU_COUNT = os.cpu_count() or 1
_SHORTEST_WATCH = 0.01
_REAP_SECONDS = 0.5
# A worker's CPU clock has run since its fork, some milliseconds longer than the request's: a budget that is
# used up so short before the deadline is one that a single thread could not have used up earlier.
_SAME_MOMENT = 0.05


class OneShotRun:
    """One job in one process, which is to be ``niceness`` nicer than it was."""

    def __init__(self, process: Worker, job: Job, niceness: int = 0) -> None:
        self._process = process
        self._job = job
        self._niceness = niceness
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._report: Report | None = None
        self._result: bytes | None = None
        self._killed: KillReason | None = None
        self._timer = self._loop.call_later(self._next_watch(), self._watch)

    async def run(self, queued: float) -> Outcome:
        """Bind, run, collect. WorkerLost when its zygote died under it; cancelling kills it."""
        began = time.monotonic()
        process, limits = (
            self._process,
            {
                wire.Kind.RESULT: self._job.program.max_result,
                wire.Kind.DONE: wire.MAX_ENVELOPE_BYTES,
            },
        )
        try:
            if process.closed:
                raise WorkerLost
            process.listen(limits, self)
            process.send(_message(self._job, self._niceness))
            await self._done
            ended = time.monotonic()
            process.kill()
            if self._killed is not None:
                await self._reaped()
            return self._outcome(began, ended, queued)
        except asyncio.CancelledError:
            KILLS.add("oneshot", "cancelled")
            raise
        finally:
            self._timer.cancel()
            self._job.spent.cpu += self._cpu_used() or 0.0
            process.destroy()

    def on_frame(self, frame: wire.Frame) -> None:
        if frame.kind is wire.Kind.RESULT and self._result is None and self._report is None:
            check_value(frame.payload)
            self._result = frame.payload
        elif frame.kind is wire.Kind.DONE and self._report is None:
            self._report = Report.from_wire(wire.decode_object(frame))
            self._finish()
        else:
            raise wire.WireError(f"{frame.kind.name} out of turn")

    def on_broken(self) -> None:
        self._kill("protocol")

    def on_dead(self) -> None:
        self._finish()

    def on_lost(self) -> None:
        if not self._done.done():
            KILLS.add("oneshot", "zygote")
            self._done.set_exception(WorkerLost())

    async def _reaped(self) -> None:
        """We killed it: its zygote says within moments what it had used."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REAP_SECONDS):
                await self._process.gone.wait()

    def _kill(self, reason: KillReason) -> None:
        if self._killed is None:
            self._killed = reason
            KILLS.add("oneshot", reason)
        self._process.kill()
        self._finish()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _watch(self) -> None:
        """Look at the clocks: the deadline, and the CPU budget, which threads may use up faster."""
        left = self._job.deadline - time.monotonic()
        if left <= 0:
            self._kill("timeout")
            return
        used = cpu_seconds(self._process.pidfd)
        if used is not None and used >= self._job.limits.cpu and left > _SAME_MOMENT:
            self._kill("cpu")
            return
        self._timer = self._loop.call_later(self._next_watch(used or 0.0), self._watch)

    def _next_watch(self, used: float = 0.0) -> float:
        """Seconds until the budget or the deadline can be reached at the earliest."""
        left = self._job.deadline - time.monotonic()
        budget = max((self._job.limits.cpu - used) / _CPU_COUNT, _SHORTEST_WATCH)
        return max(0.0, min(left, budget))

    def _cpu_used(self) -> float | None:
        if self._process.exit is not None:
            return self._process.exit.cpu
        if self._report is not None:
            return self._report.cpu
        return None if self._process.closed else cpu_seconds(self._process.pidfd)

    def _outcome(self, began: float, ended: float, queued: float) -> Outcome:
        job, report, process = self._job, self._report, self._process
        cpu = self._cpu_used()
        streams = [os.fstat(descriptor).st_size for descriptor in (process.stdout, process.stderr)]
        conclusion = conclude(
            Ending(
                limits=job.limits,
                wall=ended - began,
                report=report,
                killed=self._killed,
                status=process.exit.status if process.exit else None,
                cpu=cpu,
                starved=process.exit.starved if process.exit else False,
                largest_stream=max(streams),
            )
        )
        stdout = read_stream(process.stdout, job.limits.output)
        stderr = read_stream(process.stderr, job.limits.output)
        bind = report.bind if report else 0.0
        run = report.run if report else ended - began
        peak = (
            report.memory_peak if report else self._process.exit.memory_peak if self._process.exit else None
        )
        timing = Timing(queued, bind, run, time.monotonic() - ended)
        return Outcome(
            verdict=conclusion.verdict,
            exit_code=conclusion.exit_code,
            detail=conclusion.detail,
            result=self._result,
            report=report,
            stdout=stdout,
            stderr=stderr,
            usage=Usage(ended - began, cpu, peak),
            timing=timing,
        )


def _message(job: Job, niceness: int) -> bytes:
    limits = job.limits
    cpu = int(limits.cpu) + 2  # RLIMIT_CPU counts whole seconds; the finer budget is watched from here
    bind = Limits(limits.memory, cpu, limits.file_size, niceness)
    message = wire.encode_json(wire.Kind.BIND, bind)
    message += wire.encode_json(wire.Kind.RUN, job.program)
    if job.data is not None:
        message += wire.encode(wire.Kind.DATA, job.data)
    return message
