"""What the pool is asked to run, and what it answers. Times in seconds, sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sandbox_runtime.job import Program, Report
from service.pool.shares import EXEMPT

Verdict = Literal[
    "ok",
    "exception",
    "exit",
    "timeout",
    "cpu",
    "memory",
    "output",
    "disk",
    "signal",
    "syscall",
    "rejected",
]


@dataclass(frozen=True, slots=True)
class JobLimits:
    """``timeout`` and ``cpu`` in seconds (``cpu`` is a budget over all threads), the rest in bytes.
    ``output`` is what is kept of each stream, ``file_size`` what one file or stream may grow to."""

    timeout: float
    cpu: float
    memory: int
    file_size: int
    output: int


@dataclass(slots=True)
class Spent:
    """What has been used for a request so far, however it ends. ``cpu`` in seconds."""

    cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """One program with its limits. ``deadline`` is a ``time.monotonic()`` value, set once at the edge.
    ``data`` is the JSON text whose member ``data`` the program gets, or None. ``principal``: who asked, as
    far as shares go (``shares``). ``spent``: where its CPU time is added when it is over."""

    program: Program
    limits: JobLimits
    deadline: float
    data: bytes | None = None
    principal: str = EXEMPT
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True, slots=True)
class Stream:
    """What is kept of stdout or stderr, and how many bytes between head and tail were dropped."""

    text: str = ""
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """``cpu`` is None when the worker died before anyone could ask it."""

    wall: float
    cpu: float | None
    memory_peak: int | None


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time went: waiting for a worker, binding it, running, collecting what it left."""

    queue: float
    bind: float
    run: float
    collect: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A program that ran, whatever it did. ``result`` is JSON text, checked."""

    verdict: Verdict
    exit_code: int
    detail: str | None
    result: bytes | None
    report: Report | None
    stdout: Stream
    stderr: Stream
    usage: Usage
    timing: Timing
