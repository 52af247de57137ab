"""One worker as its front sees it: four descriptors, one job, one end.

Any error on its channel, the deadline, the CPU budget and a cancelled request all end the same way: the
worker is killed through its pidfd and never used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time

from sandbox_runtime import wire
from sandbox_runtime.job import Limits, Report
from service.errors import WorkerLost
from service.pool.cpu_clock import cpu_seconds
from service.pool.job import Job, Outcome, Timing, Usage
from service.pool.output import read_stream
from service.pool.verdict import Ending, KillReason, conclude

_CHUNK = 1 << 18
_CPU_COUNT = os.cpu_count() or 1
_SHORTEST_WATCH = 0.01
_REAP_SECONDS = 0.5
# A worker's CPU clock has run since its fork, some milliseconds longer than the request's: a budget that is
# used up so short before the deadline is one that a single thread could not have used up earlier.
_SAME_MOMENT = 0.05


class Worker:
    """A worker that has passed its jail. ``serial`` is its number within its zygote."""

    def __init__(self, serial: int, descriptors: list[int], loop: asyncio.AbstractEventLoop) -> None:
        job, self._pidfd, self._stdout, self._stderr = descriptors
        self.serial = serial
        self._loop = loop
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=job)
        self._socket.setblocking(False)
        self._closed = False
        self._done: asyncio.Future[None] | None = None
        self._report: Report | None = None
        self._result: bytes | None = None
        self._killed: KillReason | None = None
        self._exit: wire.Exited | None = None
        self._gone = asyncio.Event()
        self._eof = False
        self._unsent = memoryview(b"")

    async def run(self, job: Job, queued: float) -> Outcome:
        """Bind, run, collect. WorkerLost when its zygote died under it; cancelling kills it."""
        if self._closed:
            raise WorkerLost
        began = time.monotonic()
        self._done = self._loop.create_future()
        self._decoder = wire.Decoder(
            {wire.Kind.RESULT: job.program.max_result, wire.Kind.DONE: wire.MAX_ENVELOPE_BYTES}
        )
        self._job = job
        self._loop.add_reader(self._socket, self._readable)
        self._timer = self._loop.call_later(self._next_watch(), self._watch)
        try:
            self._send(job)
            await self._done
            ended = time.monotonic()
            self.kill()
            if self._killed is not None:
                await self._reaped()
            cpu = self._cpu_used()
            return self._outcome(began, ended, queued, cpu)
        finally:
            self._timer.cancel()
            self.destroy()

    async def _reaped(self) -> None:
        """We killed it: its zygote says within moments what it had used."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REAP_SECONDS):
                await self._gone.wait()

    def exited(self, message: wire.Exited) -> None:
        """The zygote has reaped it."""
        self._exit = message
        self._gone.set()
        if self._done is not None and not self._done.done():
            self._readable()  # what it sent before it died is still in the socket
            self._settle()

    def lost(self) -> None:
        """Its zygote is gone, and the kernel has killed it with it."""
        if self._done is None:
            self.destroy()
            return
        self._gone.set()
        if not self._done.done():
            self._readable()
        if not self._done.done():
            self._done.set_exception(WorkerLost())

    def kill(self, reason: KillReason | None = None) -> None:
        """SIGKILL, whatever it is doing. Nothing survives it: a worker can start no process."""
        self._killed = self._killed or reason
        if not self._closed:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def destroy(self) -> None:
        """Kill it and close everything of it on our side."""
        if self._closed:
            return
        self.kill()
        self._closed = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        for descriptor in (self._pidfd, self._stdout, self._stderr):
            os.close(descriptor)

    def _send(self, job: Job) -> None:
        limits = job.limits
        cpu = int(limits.cpu) + 2  # RLIMIT_CPU counts whole seconds; the finer budget is watched from here
        bind = Limits(memory=limits.memory, cpu=cpu, file_size=limits.file_size)
        message = wire.encode_json(wire.Kind.BIND, bind)
        message += wire.encode_json(wire.Kind.RUN, job.program)
        if job.data is not None:
            message += wire.encode(wire.Kind.DATA, job.data)
        self._unsent = memoryview(message)
        self._writable()

    def _writable(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._writable)
            return
        except OSError:
            self._unsent = memoryview(b"")  # it is dying; its EOF or its exit says how
        self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        try:
            while not self._closed and not self._eof:
                chunk = self._socket.recv(_CHUNK)
                if not chunk:
                    self._end_of_file()
                    return
                for frame in self._decoder.feed(chunk):
                    self._take(frame)
        except BlockingIOError:
            return
        except wire.WireError:
            self.kill("protocol")
            self._finish()
        except ConnectionError:
            self._end_of_file()

    def _take(self, frame: wire.Frame) -> None:
        if frame.kind is wire.Kind.RESULT and self._result is None and self._report is None:
            wire.check_json(frame.payload)
            self._result = frame.payload
        elif frame.kind is wire.Kind.DONE and self._report is None:
            self._report = Report.from_wire(wire.decode_object(frame))
            self._finish()
        else:
            raise wire.WireError(f"{frame.kind.name} out of turn")

    def _end_of_file(self) -> None:
        self._eof = True
        self._loop.remove_reader(self._socket)
        self._settle()

    def _settle(self) -> None:
        """It is gone without a report: how, its exit says, which may come before or after the EOF."""
        if self._exit is not None:
            self._finish()

    def _finish(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _watch(self) -> None:
        """Look at the clocks: the deadline, and the CPU budget, which threads may use up faster."""
        left = self._job.deadline - time.monotonic()
        if left <= 0:
            self.kill("timeout")
            self._finish()
            return
        used = cpu_seconds(self._pidfd)
        if used is not None and used >= self._job.limits.cpu and left > _SAME_MOMENT:
            self.kill("cpu")
            self._finish()
            return
        self._timer = self._loop.call_later(self._next_watch(used or 0.0), self._watch)

    def _next_watch(self, used: float = 0.0) -> float:
        """Seconds until the budget or the deadline can be reached at the earliest."""
        left = self._job.deadline - time.monotonic()
        budget = max((self._job.limits.cpu - used) / _CPU_COUNT, _SHORTEST_WATCH)
        return max(0.0, min(left, budget))

    def _cpu_used(self) -> float | None:
        if self._exit is not None:
            return self._exit.cpu
        if self._report is not None:
            return self._report.cpu
        return cpu_seconds(self._pidfd)

    def _outcome(self, began: float, ended: float, queued: float, cpu: float | None) -> Outcome:
        job, report = self._job, self._report
        streams = [os.fstat(descriptor).st_size for descriptor in (self._stdout, self._stderr)]
        conclusion = conclude(
            Ending(
                limits=job.limits,
                wall=ended - began,
                report=report,
                killed=self._killed,
                status=self._exit.status if self._exit else None,
                cpu=cpu,
                largest_stream=max(streams),
            )
        )
        stdout = read_stream(self._stdout, job.limits.output)
        stderr = read_stream(self._stderr, job.limits.output)
        bind = report.bind if report else 0.0
        run = report.run if report else ended - began
        peak = report.memory_peak if report else self._exit.memory_peak if self._exit else None
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
