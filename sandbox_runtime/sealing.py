"""How a worker that serves one domain for life goes into its directory and closes the door."""

from __future__ import annotations

import fcntl
import os
import resource
import sys
from collections.abc import Iterable

from sandbox_runtime import linux
from sandbox_runtime.jail import Step, take
from sandbox_runtime.job_channel import JOB
from sandbox_runtime.wire import WireError
from sandbox_runtime.worker import Baseline

SAID_BYTES = 4096
_SEALS = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_close_others = linux.close_from(JOB + 1)


def enter(directory: int | None, confine: Iterable[Step]) -> None:
    """Make the directory, which came with BIND, the root; keep no other descriptor, and streams as they are.
    JailError, OSError, or WireError when none came."""
    if directory is None:
        raise WireError("BIND came without a directory")
    os.fchdir(directory)
    take(confine)
    _close_others()
    sys.path.clear()  # all it imports was imported before, and what lies in the directory is foreign
    os.truncate(2, SAID_BYTES)  # for the words of our own death; nothing else is ever written there
    for stream in (1, 2):
        fcntl.fcntl(stream, fcntl.F_ADD_SEALS, _SEALS)


def limit_memory(size: int) -> None:
    """Bytes of address space beyond what the zygote maps."""
    space = Baseline.mapped + size
    resource.setrlimit(resource.RLIMIT_AS, (space, space))


def limit_files(size: int) -> None:
    """Bytes that one file may have."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
