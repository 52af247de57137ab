"""Numbers in memory that all fronts of a node share: how often one has changed the control database, and how
often the options of a session, or deleted it; sessions are told apart by a part of their digests.

A front that has changed something counts up before it answers, so a request that comes after that answer,
to whichever front, finds another number than its front has seen, and has it look first. What other
processes and other nodes change in the control database, fronts find by themselves a moment later
(``service.access.watch``).
"""

from __future__ import annotations

import fcntl
import mmap
import os
from typing import Final

_WORD = 8
_SUBJECTS = 512
_SIZE = _WORD * _SUBJECTS
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


CONTROL: Final = 0


def session_subject(digest: str) -> int:
    """The subject that the session with this digest is of, and every 511th other."""
    return 1 + int(digest[:8], 16) % (_SUBJECTS - 1)


def create_bulletin() -> int:
    """A descriptor of an empty one (memfd_create(2)), sealed at its size."""
    descriptor = os.memfd_create("lars-bulletin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, _SIZE)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor


class Bulletin:
    """This process's view of the one behind a descriptor, which it owns; without, that of a front alone."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._bytes = mmap.mmap(-1 if descriptor is None else descriptor, _SIZE)
        self._words = memoryview(self._bytes).cast("Q")  # aligned: a word is read whole

    def number(self, subject: int) -> int:
        """How many changes were announced."""
        return self._words[subject]

    def announce(self, subject: int) -> None:
        """There was a change, which is committed. The lock of fcntl(2) keeps processes from losing one."""
        if self._descriptor is not None:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            self._words[subject] += 1
        finally:
            if self._descriptor is not None:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Unmap it."""
        self._words.release()
        self._bytes.close()
        if self._descriptor is not None:
            os.close(self._descriptor)
