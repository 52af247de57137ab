"""The file of one contract's recorded calls: ``contracts/<hash>/calls.db`` below LARS_DATA_ROOT, SQLite.

Not beneath LARS_UPLOADS_DIR: other software writes there, and a contract's worker has its directory there for
its root, so a module could read what its callers have sent. Everything here blocks, and raises OSError and
sqlite3.Error.

A rollback journal, not a write-ahead log, and ``secure_delete``: what was erased is on no page that the file
still has. A connection lasts for one piece of work, so that nothing is open while no call is kept.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

FILE: Final = "calls.db"
PAGE: Final = 4096
_DIRECTORY: Final = "contracts"
_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OWN_DIRECTORY: Final = 0o700
_OWN_FILE: Final = 0o600
_BUSY_SECONDS: Final = 5.0
_VERSION: Final = 1
_SCHEMA: Final = (
    """CREATE TABLE calls (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, time REAL NOT NULL,
        run REAL NOT NULL, query TEXT, body BLOB, value BLOB, error TEXT, size INTEGER NOT NULL
    )""",
    "CREATE INDEX calls_of_function ON calls (name, time)",
    "CREATE INDEX calls_by_time ON calls (time)",
    # floor: calls of states of the function before this revision are not kept any more.
    """CREATE TABLE functions (
        name TEXT PRIMARY KEY, floor INTEGER NOT NULL DEFAULT 0, too_long INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID""",
    f"PRAGMA user_version = {_VERSION}",
)


@contextmanager
def opened(root: Path, contract: str) -> Iterator[sqlite3.Connection | None]:
    """The file, if there is one with anything in it. ``root``: LARS_DATA_ROOT."""
    path = _found(root, contract)
    if path is None:
        yield None
        return
    with _connected(path) as connection:
        yield connection if _version(connection) else None


@contextmanager
def made(root: Path, contract: str, pages: int) -> Iterator[sqlite3.Connection]:
    """The file, which is made where there is none. ``pages``: it never has more; what would need more is
    refused."""
    root.mkdir(mode=_OWN_DIRECTORY, parents=True, exist_ok=True)
    path = _place(root, contract, make=True)
    _is_there(path)  # and no link, or another thing
    with _connected(path) as connection:
        if stat.S_IMODE(path.stat().st_mode) != _OWN_FILE:
            path.chmod(_OWN_FILE)  # before there is anything in it; SQLite gives its journal the same mode
        connection.execute(f"PRAGMA max_page_count = {pages}")
        if not _version(connection):
            _lay_out(connection)
        yield connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Committed when the block ends and undone when it raises. It waits for others before it begins."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def used_pages(connection: sqlite3.Connection) -> int:
    """Those that hold anything."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages - free)


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connected = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    with closing(connected) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        yield connection


def _lay_out(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    with transaction(connection):
        if not _version(connection):  # another front may have been first
            for statement in _SCHEMA:
                connection.execute(statement)


def _version(connection: sqlite3.Connection) -> int:
    """0: there is nothing in it."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise sqlite3.DatabaseError(f"it is of version {version}, and this service knows {_VERSION}")
    return int(version)


def _found(root: Path, contract: str) -> Path | None:
    try:
        path = _place(root, contract)
    except FileNotFoundError:
        return None
    return path if _is_there(path) else None


def _place(root: Path, contract: str, *, make: bool = False) -> Path:
    """Where the file is to be. Its directories are there, and are no links."""
    place = root
    current = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in (_DIRECTORY, contract):
            place /= name
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, _OWN_DIRECTORY, dir_fd=current)
            above = current
            current = os.open(name, _FLAGS, dir_fd=above)
            os.close(above)
    finally:
        os.close(current)
    return place / FILE


def _is_there(path: Path) -> bool:
    """Looked at and not opened: to close a file that another thread has open would end its locks (SQLite,
    "How To Corrupt An SQLite Database File", section 2.2)."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ELOOP, "it is no regular file", str(path))
    return True
