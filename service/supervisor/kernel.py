"""What the trusted side asks of the kernel for itself."""

from __future__ import annotations

import ctypes
import os
import resource

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]


def _prctl(option: int, value: int, what: str) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def become_subreaper() -> None:
    """Orphaned descendants become our children. PR_SET_CHILD_SUBREAPER(2const)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, "prctl(PR_SET_CHILD_SUBREAPER)")


def die_with_parent(signal_number: int) -> None:
    """Get this signal when the parent dies. PR_SET_PDEATHSIG(2const)."""
    _prctl(_PR_SET_PDEATHSIG, signal_number, "prctl(PR_SET_PDEATHSIG)")


def forbid_core_dumps() -> None:
    """No core file of this process or a child has its memory, in which keys are. RLIMIT_CORE of one byte:
    core(5) writes no file that small, and of a limit of 1 the kernel starts no program that
    /proc/sys/kernel/core_pattern pipes dumps to (fs/coredump.c), which it does even at 0."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    lowest = 0 if hard == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (lowest, lowest))


def raise_open_files() -> None:
    """RLIMIT_NOFILE up to its hard limit: a front holds four descriptors of a worker and one of a client."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
