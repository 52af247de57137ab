"""What one attack is: a program, what stops it, and exactly what is seen of it, jailed and not.

``layers`` are what stops it, and each of them alone is enough: the attack works only when all are off. Where
no layer of the jail is concerned, ``fence`` says what is. The control is the proof that the program attacks
at all; a row without one says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sandbox_runtime.layers import Layer
from service.pool.job import Outcome, Verdict


class Fence(StrEnum):
    """What stops an attack beside the layers of the jail."""

    WIRE = "the front checks what a worker sends"
    CLOCKS = "the front watches the deadline and the CPU clock"
    POLICY = "the AST policy"
    ONE_SHOT = "a worker runs one program and dies"
    WORKER = "the worker's own set-up and report"
    KERNEL = "the kernel, for every process without capabilities"


@dataclass(frozen=True, slots=True)
class Exact:
    """An outcome: verdict, exit code, stdout, and the uncaught exception as (type, message).

    ``stdout`` None: not looked at, because it is as long as the limit lets it become."""

    verdict: Verdict
    exit_code: int
    stdout: str | None = ""
    exception: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Attack:
    """``options`` are those of tests.support.job; ``raw`` programs go without the prelude.

    ``control`` is the outcome with every one of ``layers`` off, ``also_off`` too where the control could not
    run otherwise, and with ``control_options`` over the options.
    """

    name: str
    program: str
    outcome: Exact
    layers: tuple[Layer, ...] = ()
    also_off: tuple[Layer, ...] = ()
    fence: Fence | None = None
    control: Exact | None = None
    no_control: str = ""
    control_options: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    raw: bool = False
    machine: str = ""


def says(*lines: str) -> Exact:
    """It ended well and printed these lines."""
    return Exact("ok", 0, "".join(f"{line}\n" for line in lines))


def raises(kind: str, message: str, *lines: str) -> Exact:
    """It printed the lines and died of this exception; EPERM and ENOSYS are the jail's own verdict."""
    refused = message.startswith(("[Errno 1] ", "[Errno 38] "))
    return Exact("syscall" if refused else "exception", 1, says(*lines).stdout, (kind, message))


def seen(outcome: Outcome, *, stdout: bool = True) -> Exact:
    """What there was to see of an outcome."""
    exception = outcome.report.exception if outcome.report else None
    told = (exception.type, exception.message) if exception else None
    return Exact(outcome.verdict, outcome.exit_code, outcome.stdout.text if stdout else None, told)


PRELUDE = """\
import ctypes, errno, os
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
def call(number, *args):
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    got = _libc.syscall(ctypes.c_long(number), *wide)
    return got if got >= 0 else errno.errorcode[ctypes.get_errno()]
def tried(function, *args, **named):
    try:
        return function(*args, **named)
    except OSError as error:
        return errno.errorcode[error.errno]
"""
