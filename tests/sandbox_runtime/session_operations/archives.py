"""Sessions and archives for these tests. Archives are made and read by the standard library's tarfile."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sandbox_runtime.session_operations import operate
from sandbox_runtime.store.database import SessionDatabase

Collections = Mapping[str, list[dict[str, object]]]
Edit = Callable[[tarfile.TarInfo], None]


@contextmanager
def memory_file(content: bytes = b"") -> Iterator[int]:
    file = os.memfd_create("session", os.MFD_CLOEXEC)
    try:
        written = 0
        while written < len(content):
            written += os.write(file, content[written:])
        yield file
    finally:
        os.close(file)


@contextmanager
def opened(collections: Collections | None = None, **options: float) -> Iterator[SessionDatabase]:
    database = SessionDatabase(":memory:", full_sync=False, **options)  # type: ignore[arg-type]
    try:
        if collections:
            fill(database, collections)
        yield database
    finally:
        database.close()


def fill(database: SessionDatabase, collections: Collections) -> None:
    with database.transaction() as session:
        for name, records in collections.items():
            session.collection(name).insert_many(records)


def export(database: SessionDatabase) -> bytes:
    with memory_file() as file:
        result = operate(database, "export", {}, file)
        size = os.fstat(file).st_size
        assert result["bytes"] == size
        return os.pread(file, size, 0)


def import_(
    database: SessionDatabase, content: bytes, kind: str = "tar", replace: bool = False
) -> dict[str, object]:
    with memory_file(content) as file:
        return operate(database, "import", {"format": kind, "replace": replace}, file)


def records(database: SessionDatabase, name: str) -> list[dict[str, object]]:
    with database.transaction(write=False) as session:
        return session.collection(name).list()[0]


def state(database: SessionDatabase) -> dict[str, tuple[list[dict[str, object]], int]]:
    """Every collection's records in order, and its next id."""
    with database.transaction(write=False) as session:
        return {
            name: (session.collection(name).list()[0], session.collection(name).describe()["auto_id"])
            for name in session.names()
        }


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        found = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in found.items() if file is not None}


def packed(
    files: Mapping[str, bytes] | list[tuple[str, bytes]],
    edit: Edit = lambda _: None,
    kind: int = tarfile.PAX_FORMAT,
) -> bytes:
    """A tar; ``edit`` changes each member's header."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=kind) as tar:
        for name, content in files.items() if isinstance(files, Mapping) else files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            edit(member)
            tar.addfile(member, io.BytesIO(content))
    return output.getvalue()


def header(name: str, size: int, kind: bytes = b"0") -> bytes:
    """One header as it is on the tape, whatever it says."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.type = kind
    return member.tobuf(tarfile.USTAR_FORMAT)
