"""Real shortages, of this process alone and for as long as a block lasts."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_thread_more() -> Iterator[None]:
    """No thread can be started: none has memory for such a stack."""
    threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(0)


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """No file can be written beyond so many bytes, as on a disk that is full (EFBIG, setrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
