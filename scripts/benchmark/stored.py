"""Sessions that lie on the disk: many that nobody asks for, and one with many records.

A session at rest is a directory with one SQLite file. One such file is made by the store itself, and its
bytes are written anew for each session, so nothing is shared: neither blocks (reflinks) nor inodes (hard
links).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox_runtime.domain import Session
from sandbox_runtime.store.database import SessionDatabase
from service.access.principal import ANONYMOUS
from service.sessions.directory import DATA, open_directory

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
Content = Mapping[str, Sequence[Mapping[str, object]]]


def data_file(content: Content) -> bytes:
    """A session's file with these records."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / DATA
        database = SessionDatabase(str(path), full_sync=False)
        with database.transaction() as store:
            for collection, records in content.items():
                store.collection(collection).insert_many(records)
        database.close()  # the last one to close folds the log into the file
        return path.read_bytes()


def store_sessions(root: Path, names: Sequence[str], data: bytes) -> None:
    """Under each name, of a caller without credentials, a session with this file. All on the disk at the end,
    so that writing them back does not slow what is measured next."""
    for name in names:
        _store(root, name, data)
    os.sync()


def _store(root: Path, name: str, data: bytes) -> None:
    directory = open_directory(root, Session(ANONYMOUS, name))
    try:
        file = os.open(DATA, _NEW, 0o600, dir_fd=directory)
        try:
            owner = os.fstat(directory)
            os.fchown(file, owner.st_uid, owner.st_gid)
            os.write(file, data)
        finally:
            os.close(file)
    finally:
        os.close(directory)
