"""Makes system calls under the filters, each in a throw-away child, and says what came of each.

Usage: syscall_prober.py ZYGOTE.BPF WORKER.BPF < calls > outcomes, each filter or ``-`` for none.
In: a JSON list of [number, argument, ...]; arguments not given are -1, so that what is allowed fails in the
kernel without effect; "self" is the child's pid, "parent" the prober's.
Out: a JSON list with, for each, the errno (0 for success), or null when the call ended the child.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import select
import signal
import struct
import sys

from tests.seccomp.filtered_program import install_pair, read_filter

_CLONE_NEWUSER = 0x10000000
_PATIENCE = 30_000  # ms
_OUTCOME = struct.Struct("=ii")  # whether the call returned, errno
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def main() -> None:
    """Reads the calls, writes the outcomes."""
    zygote, worker = read_filter(sys.argv[1]), read_filter(sys.argv[2])
    # Nothing here has a capability on the host, even when root runs the tests without a filter.
    if _libc.unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    calls = json.load(sys.stdin)
    # A slot per call: a forbidden fork that succeeds leaves someone who writes late.
    board = memoryview(mmap.mmap(-1, len(calls) * _OUTCOME.size)).cast("B")
    for place, (number, *arguments) in enumerate(calls):
        slot = board[place * _OUTCOME.size : (place + 1) * _OUTCOME.size]
        pid = os.fork()
        if pid == 0:
            try:
                install_pair(zygote, worker)
                _call(slot, number, arguments)
            finally:
                os._exit(0)
        _await(pid, number)
    json.dump([errno if returned else None for returned, errno in _OUTCOME.iter_unpack(board)], sys.stdout)


def _call(slot: memoryview, number: int, arguments: list[int | str]) -> None:
    pids = {"self": os.getpid(), "parent": os.getppid()}
    values = [pids[a] if isinstance(a, str) else a for a in arguments]
    padded = [ctypes.c_long(value) for value in (*values, *(-1,) * (6 - len(values)))]
    # A call that waits is interrupted, again and again.
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    ctypes.set_errno(0)
    result = _libc.syscall(ctypes.c_long(number), *padded)
    _OUTCOME.pack_into(slot, 0, 1, ctypes.get_errno() if result == -1 else 0)


def _await(pid: int, number: int) -> None:
    descriptor = os.pidfd_open(pid)
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    ended = waiting.poll(_PATIENCE)
    os.close(descriptor)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if not ended:
        raise TimeoutError(f"system call {number} did not return")


if __name__ == "__main__":
    main()
