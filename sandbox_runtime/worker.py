"""A worker, from fork to death: finish the jail, announce itself, read one job, run it, report.

    zygote ──fork──► jail steps ──► READY + descriptors ──► (idle) ──► BIND ──► RUN ──► program ──► DONE, exit

Until READY every failure is ``failed`` ("could not start"); after it the worker belongs to one front, and
rehearses a run while no job comes.
"""

from __future__ import annotations

import _random
import _socket
import mmap
import os
import random
import resource
import select
import signal
import socket
import time
from typing import NoReturn

import orjson

from sandbox_runtime import job_channel, linux, wire
from sandbox_runtime.jail import SCRATCH, JailError, WorkerSteps, take
from sandbox_runtime.job import Limits, Program, Report
from sandbox_runtime.job_channel import JOB
from sandbox_runtime.program import Refused, Run, prepare, rehearse, write_source

_close_others = linux.close_from(JOB + 1)
_PATIENCE = 0.001  # seconds; a job that comes sooner was waiting for this worker
# Address space kept back for the end of a program that had a MemoryError, and for its result. A program that
# goes looking for it has as much more than its memory_limit, no more.
_ENDING_BALLAST = 8 << 20
_RESULT_BALLAST = 32 << 20


def announce(control: socket.socket, serial: int, steps: WorkerSteps) -> None:
    """Take the jail's steps, and in their midst tell the front: here I am, with my descriptors.

    On failure: say why, and die.
    """
    try:
        # The bare pair: socket.socket would wrap it in objects that every fork pays for.
        ours, theirs = _socket.socketpair()
        # A session's worker seals its streams when it is bound; a program could only seal its own words.
        flags = os.MFD_CLOEXEC | (os.MFD_ALLOW_SEALING if steps.confine else 0)
        out = os.memfd_create("stdout", flags)
        err = os.memfd_create("stderr", flags)
        pidfd = os.pidfd_open(os.getpid())
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        take(steps.before)
        _reseed()
    except (JailError, OSError) as error:
        step = error.step if isinstance(error, JailError) else "descriptors"
        _say(control, wire.Failed(serial, step, str(error)), [])
        os._exit(1)
    _say(control, wire.Ready(serial, os.getpid()), [theirs.fileno(), pidfd, out, err])
    _keep_only(ours, null, out, err)
    try:
        take(steps.after)
    except JailError:
        os.kill(os.getpid(), signal.SIGKILL)  # an exit status would pass for the program's


def _reseed() -> None:
    """Fresh randomness for this child, as random's own at-fork hook would give it."""
    _random.Random.seed(random._inst)  # the generator behind random.random()
    random._inst.gauss_next = None  # type: ignore[attr-defined]


def _say(control: socket.socket, message: wire.ControlMessage, descriptors: list[int]) -> None:
    try:
        socket.send_fds(control, [wire.encode_control(message)], descriptors)
    except OSError:
        os._exit(0)  # the front that asked for this worker is gone


def _keep_only(job: _socket.socket, null: int, out: int, err: int) -> None:
    # Not the zygote's /dev/null: flags and locks of one open file would outlive the program that set them.
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.dup2(job.detach(), JOB, inheritable=False)
    _close_others()


def receive() -> Run:
    """Wait for one job, bind to its limits, prepare it. Never returns when the program must not run."""
    if not select.select([JOB], [], [], _PATIENCE)[0]:
        rehearse()
    limits = Limits.from_wire(orjson.loads(job_channel.receive(wire.Kind.BIND)))
    began = time.monotonic()
    if limits.niceness:
        os.nice(limits.niceness)  # for good: nothing in here may take it back (sched(7), RLIMIT_NICE)
    program = Program.from_wire(orjson.loads(job_channel.receive(wire.Kind.RUN)))
    _bind(limits)
    try:
        raw = job_channel.receive(wire.Kind.DATA) if program.has_data else None
        _set_stdin(program.stdin)
        write_source(program.code)
        run = prepare(program, raw)
    except Refused as refused:
        leave(refused.report, None)
    except MemoryError:
        _Ballast.for_ending.close()
        leave(Report("memory", 1, detail="the program and its data do not fit in memory_limit"), None)
    run.start(began)
    return run


def end(run: Run) -> NoReturn:
    """Finish the program as CPython would, report, and die."""
    _Ballast.for_ending.close()
    code = run.end()
    _Ballast.for_result.close()
    leave(*run.finish(code))


def leave(report: Report, result: bytes | None) -> NoReturn:
    """Send the report and end this process."""
    message = wire.encode_json(wire.Kind.DONE, report)
    if result is not None:
        message = wire.encode(wire.Kind.RESULT, result) + message
    job_channel.send(message)
    os._exit(0)


_MEMORY = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_NO_ACCESS = 0  # PROT_NONE: counted as address space only


class _Ballast:
    """Given back when it is needed."""

    for_ending: mmap.mmap
    for_result: mmap.mmap


def _bind(limits: Limits) -> None:
    """The request's limits, on top of what the interpreter already maps; soft and hard, so they stay."""
    _Ballast.for_ending = mmap.mmap(-1, _ENDING_BALLAST, flags=_MEMORY, prot=_NO_ACCESS)
    _Ballast.for_result = mmap.mmap(-1, _RESULT_BALLAST, flags=_MEMORY, prot=_NO_ACCESS)
    space = Baseline.mapped + _ENDING_BALLAST + _RESULT_BALLAST + limits.memory
    for number, value in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_CPU, limits.cpu),
        (resource.RLIMIT_FSIZE, limits.file_size),
    ):
        resource.setrlimit(number, (value, value))


class Baseline:
    """The address space of the zygote, measured while /proc was in sight; bytes."""

    mapped = 0


def _set_stdin(text: str | None) -> None:
    if text is None:
        return
    # In the scratch, whose size is bounded: worker.json refuses memory files from here on.
    descriptor = os.open(SCRATCH, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    view = memoryview(text.encode())
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.dup2(descriptor, 0)
    os.close(descriptor)
