"""Runs one Python program as a worker would: under the zygote's filter, in a fork, under the worker's filter.

Usage: filtered_program.py ZYGOTE.BPF WORKER.BPF PROGRAM.PY, each filter or ``-`` for none.
Exit status: the program's, or 128 + its signal.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import sys
import traceback
from pathlib import Path

from sandbox_runtime.bpf import bind_pid

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def install(program: bytes) -> None:
    """Install the filter in this thread, for good."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = _Program(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(header), 0, 0),
    ):
        if _libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")


def install_pair(zygote: bytes, worker: bytes) -> None:
    """Both filters, as far as given, the worker's bound to this process."""
    if zygote:
        install(zygote)
    if worker:
        install(bind_pid(worker, os.getpid()))


def read_filter(path: str) -> bytes:
    """The program in the file; empty for ``-``."""
    return b"" if path == "-" else Path(path).read_bytes()


def main() -> int:
    """The parent stays under the zygote's filter alone."""
    zygote, worker = read_filter(sys.argv[1]), read_filter(sys.argv[2])
    if zygote:
        install(zygote)
    pid = os.fork()
    if pid == 0:
        _run(worker, sys.argv[3])
    _, status = os.waitpid(pid, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _run(worker: bytes, program: str) -> None:
    code = 1
    try:
        install_pair(b"", worker)
        runpy.run_path(program, run_name="__main__")
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
