"""The control database where it is a file of SQLite, made and looked at without SQLAlchemy and Alembic, which
take longer to load than all else does that comes before a service serves.

What is not as usual is left to ``migrate``: it is thorough, and can say what is wrong.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from service.control.version import VERSION

# What the steps of ``migrations/versions`` make of an empty file, as sqlite3.Connection.iterdump has it:
# python -m service.control.schema > service/control/schema.sql
SCHEMA: Final = Path(__file__).with_name("schema.sql")
_PATIENCE: Final = 5.0  # s
_MODE: Final = 0o600


def any_key(path: Path) -> bool | None:
    """Whether a key was ever made, of a database that is up to date; it is made when there is none. None when
    it is anything else, or cannot be used."""
    try:
        make_file(path)
        with contextlib.closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as connection:
            if _is_empty(connection):
                _make_tables(connection)
            if connection.execute("SELECT version_num FROM lars_version").fetchall() != [(VERSION,)]:
                return None
            return _says(connection, "SELECT EXISTS (SELECT id FROM lars_keys)")
    except (OSError, sqlite3.Error):
        return None


def make_file(path: Path) -> None:
    """There, readable by its owner only (SQLite gives -wal and -shm the same mode), and with a write-ahead
    log, which the file remembers. Another process may be at it: the directory is locked (flock(2))."""
    with contextlib.suppress(FileNotFoundError):
        found = path.stat()
        if found.st_mode & 0o077:
            path.chmod(_MODE)
        if found.st_size:
            return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE))
        path.chmod(_MODE)  # a umask may have taken from it
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    finally:
        os.close(directory)


def _is_empty(connection: sqlite3.Connection) -> bool:
    return _says(connection, "SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)")


def _says(connection: sqlite3.Connection, question: str) -> bool:
    found: tuple[int] = connection.execute(question).fetchone()
    return found == (1,)


def _make_tables(connection: sqlite3.Connection) -> None:
    """In one transaction, unless another process was first."""
    statements = SCHEMA.read_text("utf-8").split(";\n")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    if _is_empty(connection):
        for statement in statements:
            connection.execute(statement)
    connection.execute("COMMIT")
