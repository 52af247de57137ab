"""Reading what a program wrote: its stdout and stderr are memory files that outlive it."""

from __future__ import annotations

import os

from service.pool.job import Stream

_ESCAPES = {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}


def read_stream(descriptor: int, keep: int) -> Stream:
    """At most ``keep`` bytes: all of it, or its head and tail with a line between that counts the rest.

    The size is the program's to choose (it may seek, truncate or leave holes), so it only ever selects how
    much of our own bound is read.
    """
    size = os.fstat(descriptor).st_size
    if size <= keep:
        return Stream(_decode(os.pread(descriptor, keep, 0)))
    half = keep // 2
    head = _whole_head(os.pread(descriptor, half, 0))
    tail = _whole_tail(os.pread(descriptor, keep - half, size - (keep - half)))
    dropped = size - len(head) - len(tail)
    return Stream(f"{_decode(head)}\n[... {dropped} bytes dropped ...]\n{_decode(tail)}", dropped)


def _whole_head(data: bytes) -> bytes:
    """Without the beginning of a character (RFC 3629) that the cut went through."""
    for length in range(1, min(4, len(data) + 1)):
        byte = data[-length]
        if byte & 0xC0 != 0x80:  # where the last character begins; it may need more bytes than are left
            needs = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return data[:-length] if needs > length else data
    return data


def _whole_tail(data: bytes) -> bytes:
    """Without the end of a character that the cut went through."""
    start = 0
    while start < min(3, len(data)) and data[start] & 0xC0 == 0x80:
        start += 1
    return data[start:]


def _decode(data: bytes) -> str:
    """As ``backslashreplace`` would, in a third of the time where nothing is UTF-8."""
    return data.decode("utf-8", errors="surrogateescape").translate(_ESCAPES)
