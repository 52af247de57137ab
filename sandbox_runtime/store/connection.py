"""SQLite as the store uses it: statements with bound values, one deadline, every error under our names."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from sandbox_runtime.store import functions
from sandbox_runtime.store.errors import (
    BadQuery,
    Damaged,
    NoStorage,
    QuotaExceeded,
    SessionBusy,
    StoreError,
    TooSlow,
)
from sandbox_runtime.store.limits import MAX_FETCH_BYTES

_PATIENCE = 0.01  # seconds; SQLite looks after 1, 2 and 5 ms of them
_PAUSE = 0.0005  # seconds; a change to WAL is refused at once
# SQLite's virtual machine takes about this many steps in 50 microseconds.
_STEPS_BETWEEN_LOOKS = 1000
_MAX_VALUE_BYTES = 8 << 20
_FULL = "the disk of the session's data is full, and nothing was changed; the operator frees space on it"
# What the disk or its file system refuses: EDQUOT, EIO and EROFS among others.
_OF_THE_DISK = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


class Connection:
    """One open file. Not for several threads."""

    def __init__(self, path: str, busy_seconds: float) -> None:
        self._path = path
        self._deadline = float("inf")
        self._seconds = 0.0
        self._busy_seconds = busy_seconds
        try:
            self._sqlite = sqlite3.connect(
                path, timeout=_PATIENCE, isolation_level=None, cached_statements=128
            )
        except sqlite3.Error as error:
            raise _told(error, 0) from error
        # VACUUM INTO attaches its target.
        self._sqlite.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 1)
        self._sqlite.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
        self._sqlite.set_progress_handler(self._overdue, _STEPS_BETWEEN_LOOKS)
        functions.register(self._sqlite)

    @property
    def in_transaction(self) -> bool:
        return self._sqlite.in_transaction

    def allow(self, seconds: float) -> None:
        """From now on, statements may take this long in all."""
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    def wait_for_others(self, seconds: float) -> None:
        """How long a statement waits for another process before it is SessionBusy."""
        self._busy_seconds = seconds

    def run(self, sql: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        """Execute; for what returns no rows."""
        return self._execute(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows; for what is known to be few and small."""
        try:
            return self._execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def bodies(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows that end in a body. BadQuery above MAX_FETCH_BYTES of them."""
        found = []
        size = 0
        try:
            for row in self._sqlite.execute(sql, parameters):
                size += len(row[-1])
                if size > MAX_FETCH_BYTES:
                    raise BadQuery(
                        f"the records found have more than {MAX_FETCH_BYTES} bytes of JSON;"
                        " ask for a page (limit)",
                        limit=MAX_FETCH_BYTES,
                    )
                found.append(row)
        except sqlite3.Error as error:
            raise self._translated(error) from error
        return found

    def some(self, sql: str, parameters: Sequence[object], enough: int) -> list[tuple[Any, ...]]:
        """The first rows, which end in a body: until those have ``enough`` characters, or all rows."""
        found = []
        size = 0
        try:
            cursor = self._sqlite.execute(sql, parameters)
            for row in cursor:
                found.append(row)
                size += len(row[-1])
                if size >= enough:
                    break
            cursor.close()
        except sqlite3.Error as error:
            raise self._translated(error) from error
        return found

    def renew(self) -> None:
        """Give the statements to come as long as ``allow`` gave all until now."""
        self.allow(self._seconds)

    def require_time(self) -> None:
        """TooSlow after the time allowed; for what takes its time between statements."""
        if self._overdue():
            raise _too_slow(self._seconds)

    def close(self) -> None:
        """What was not committed is gone."""
        self._sqlite.close()

    def _execute(self, sql: str, parameters: Sequence[object]) -> sqlite3.Cursor:
        """SQLite's own wait looks ten times in a second, and misses the moments between the transactions of
        a busy writer; we ask again all the time."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                return self._sqlite.execute(sql, parameters)
            except sqlite3.Error as error:
                told = self._translated(error)
                if not isinstance(told, SessionBusy) or time.monotonic() >= deadline:
                    raise told from error
                time.sleep(_PAUSE)

    def _overdue(self) -> bool:
        return time.monotonic() > self._deadline

    def _translated(self, error: sqlite3.Error) -> StoreError:
        if _code_of(error) != sqlite3.SQLITE_FULL:
            return _told(error, self._seconds)
        if self._disk_is_full():
            return NoStorage(_FULL)
        return QuotaExceeded("the session's data reached its quota; delete records or raise the quota")

    def _disk_is_full(self) -> bool:
        """SQLite has one error for both; what was met first is where there is less room."""
        try:
            disk = os.statvfs(self._path)
            return disk.f_bavail * disk.f_frsize < self._quota_left()
        except (OSError, sqlite3.Error):  # it is in memory, or beyond asking
            return False

    def _quota_left(self) -> int:
        ((used,),), ((most,),), ((page,),) = (
            self._sqlite.execute(f"PRAGMA {name}").fetchall()
            for name in ("page_count", "max_page_count", "page_size")
        )
        return int(most - used) * int(page)


def _told(error: sqlite3.Error, seconds: float) -> StoreError:
    code = _code_of(error)
    if code in _OF_THE_DISK:
        return NoStorage(f"the disk of the session's data refuses: {error}; the operator finds out why")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return SessionBusy("another process is writing to this session; try again")
    if code == sqlite3.SQLITE_INTERRUPT:
        return _too_slow(seconds)
    if code == sqlite3.SQLITE_TOOBIG:
        return BadQuery(f"a value or the query is longer than {_MAX_VALUE_BYTES} bytes; send less")
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return Damaged(f"the session's file is damaged: {error}")
    return Unexpected(f"SQLite: {error}", unique=code == sqlite3.SQLITE_CONSTRAINT)


def _code_of(error: sqlite3.Error) -> int:
    """The low byte is the error, the rest says more exactly which kind of it."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _too_slow(seconds: float) -> TooSlow:
    return TooSlow(
        f"this took longer than the {seconds:g} s that one transaction may take; ask for less at once",
        limit=seconds,
    )


class Unexpected(StoreError):
    """What the store's own statements should never meet, except for a constraint that a caller expects."""
