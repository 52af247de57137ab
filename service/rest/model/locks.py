"""One front at a time asks about a shape: a file for each key, locked while its plan is written (flock(2)).

The kernel takes the lock from a front that has died. Blocking, but for ``held``."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from service.sessions.storage import in_storage

_PAUSE = 0.05  # seconds between two looks: a model takes longer


class PlanLocks:
    """In ``plan-locks`` under the data root."""

    def __init__(self, root: Path) -> None:
        self._root = root / "plan-locks"

    @asynccontextmanager
    async def held(self, key: str) -> AsyncIterator[None]:
        """Until the block ends nobody else, on any front, is in such a block for this key.
        StorageUnavailable."""
        path = self._root / key
        lock = await in_storage(_try, path)
        while lock is None:
            await asyncio.sleep(_PAUSE)
            lock = await in_storage(_try, path)
        try:
            yield
        finally:
            await in_storage(_free, path, lock)


def _try(path: Path) -> int | None:
    """A descriptor that has the lock; None while another has it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), os.stat(path)):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)  # another's, or of a file that its holder has removed meanwhile
    return None


def _free(path: Path, lock: int) -> None:
    with suppress(FileNotFoundError):
        path.unlink()  # while it is ours
    os.close(lock)
