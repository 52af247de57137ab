"""Reading what a program wrote: its stdout and stderr are memory files that outlive it."""

from __future__ import annotations

import os

from service.pool.job import Stream


def read_stream(descriptor: int, keep: int) -> Stream:
    """At most ``keep`` bytes: all of it, or its head and tail with a line between that counts the rest.

    The size is the program's to choose (it may seek, truncate or leave holes), so it only ever selects how
    much of our own bound is read.
    """
    size = os.fstat(descriptor).st_size
    if size <= keep:
        return Stream(_decode(os.pread(descriptor, keep, 0)))
    half = keep // 2
    head = os.pread(descriptor, half, 0)
    tail = os.pread(descriptor, keep - half, size - (keep - half))
    dropped = size - keep
    return Stream(f"{_decode(head)}\n[... {dropped} bytes dropped ...]\n{_decode(tail)}", dropped)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", errors="backslashreplace")
