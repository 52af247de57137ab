"""One front at a time asks about a shape: it holds a lock on one byte of a file that all fronts share, whose
place is the shape's key (fcntl_locking(2), open file description locks).

The kernel takes the lock from a front that has died. Nothing is ever written there."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service.sessions.storage import in_storage

_PAUSE = 0.05  # seconds between two looks: a model takes longer
_DIGITS = 15  # of the key; an offset has 63 bits
_FLOCK = struct.Struct("@hhqqi4x")  # struct flock: type, whence, start, length, pid


class PlanLocks:
    """On the file ``plans.lock`` under the data root."""

    def __init__(self, root: Path) -> None:
        self._path = root / "plans.lock"

    @asynccontextmanager
    async def held(self, key: str) -> AsyncIterator[None]:
        """Until the block ends nobody else, on any front, is in such a block for this key.
        StorageUnavailable."""
        lock = await in_storage(try_lock, self._path, key)
        while lock is None:
            await asyncio.sleep(_PAUSE)
            lock = await in_storage(try_lock, self._path, key)
        try:
            yield
        finally:
            os.close(lock)


def try_lock(path: Path, key: str) -> int | None:
    """A descriptor that has the lock of this key until it is closed; None while another has it. Blocks;
    OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, int(key[:_DIGITS], 16), 1, 0)
    try:
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, wanted)
    except OSError as error:
        os.close(lock)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return None
        raise
    return lock
