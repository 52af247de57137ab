"""A copy of a session's data beside it, which the service then makes another session's."""

from __future__ import annotations

import contextlib
import os

from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import StoreError

FILE = "fork.db"
SECONDS = 300.0


def fork(database: SessionDatabase) -> dict[str, object]:
    """``{"file", "bytes"}``: a compact copy of all that is committed, on the disk when this returns. One left
    over from an earlier time is removed first. Integer ids go on from where they are in both."""
    # SQLite copies a session that another process has ended, too.
    with database.transaction(write=False):
        pass
    _remove()
    try:
        database.copy_to(FILE, SECONDS)
        return {"file": FILE, "bytes": _synchronized()}
    except OSError as error:
        _remove()
        raise StoreError(f"the copy could not be written: {error.strerror}") from error
    except StoreError:
        _remove()
        raise


def _remove() -> None:
    for name in (FILE, f"{FILE}-journal", f"{FILE}-wal", f"{FILE}-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _synchronized() -> int:
    # VACUUM INTO does not wait for the disk.
    copy = os.open(FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(copy)
        return os.fstat(copy).st_size
    finally:
        os.close(copy)
