"""One number in memory that all fronts of a node share: how often one has changed the control database.

A front that has changed something counts up before it answers, so a request that comes after that answer,
to whichever front, finds another number than its front has seen, and has it look first. What other
processes and other nodes change, fronts find by themselves a moment later (``service.access.watch``).
"""

from __future__ import annotations

import fcntl
import mmap
import os

_SIZE = 8
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def create_bulletin() -> int:
    """A descriptor of an empty one (memfd_create(2)), sealed at its size."""
    descriptor = os.memfd_create("lars-bulletin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, _SIZE)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor


class Bulletin:
    """This process's view of the one behind a descriptor, which it owns."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._bytes = mmap.mmap(descriptor, _SIZE)
        self._words = memoryview(self._bytes).cast("Q")  # aligned: a word is read whole

    @property
    def number(self) -> int:
        """How many changes were announced."""
        return self._words[0]

    def announce(self) -> None:
        """There was a change, which is committed. The lock of fcntl(2) keeps processes from losing one."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            self._words[0] += 1
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Unmap it."""
        self._words.release()
        self._bytes.close()
        os.close(self._descriptor)
