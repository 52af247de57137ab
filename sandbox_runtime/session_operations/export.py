"""A session as a tar archive (``layout``), written to a descriptor as it is read: one read transaction, and
never more of it in memory than a page."""

from __future__ import annotations

import errno
import os
from typing import Any

import orjson

from sandbox_runtime.session_operations import tar
from sandbox_runtime.session_operations.layout import Part, file_name
from sandbox_runtime.store.catalog import Collection
from sandbox_runtime.store.connection import Connection
from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import BadQuery, NoStorage, QuotaExceeded, StoreError
from sandbox_runtime.store.whole import pages, text_bytes

PAGE_SECONDS = 60.0
_BUFFERED = 256 << 10
_FULL = {errno.ENOSPC: NoStorage, errno.EDQUOT: NoStorage, errno.EFBIG: QuotaExceeded}
_BETWEEN = b",\n"


def export(database: SessionDatabase, file: int | None) -> dict[str, object]:
    """``{"bytes", "collections", "records"}``: how much was written. The same data is the same archive."""
    if file is None:
        raise BadQuery("an export writes a file, and none came with it; send one")
    output = _Output(file)
    records = 0
    with database.transaction(write=False, seconds=PAGE_SECONDS) as session:
        names = session.names()
        members = sorted((file_name(part, name), part, name) for name in names for part in Part)
        for member, part, name in members:
            collection = database.catalog.find(name)
            if collection is None:
                raise StoreError(f"the collection {name!r} is listed and not there")
            if part is Part.RECORDS:
                records += _write_records(output, database.connection, collection, member)
            else:
                _write_file(output, member, _about(collection, part))
    output.write(tar.END)
    output.flush()
    return {"bytes": output.written, "collections": len(names), "records": records}


def _write_records(output: _Output, connection: Connection, collection: Collection, member: str) -> int:
    count, size = text_bytes(connection, collection)
    # "[\n", the records with ",\n" between, "\n]\n"; "[]\n" without any.
    size = 3 if count == 0 else size + 5 + len(_BETWEEN) * (count - 1)
    output.write(tar.header(member, size))
    if count == 0:
        output.write(b"[]\n")
    else:
        between = b"[\n"
        for page in pages(connection, collection):
            output.write(between + ",\n".join(page).encode())
            between = _BETWEEN
        output.write(b"\n]\n")
    output.write(tar.padding(size))
    return count


def _write_file(output: _Output, member: str, content: bytes) -> None:
    output.write(tar.header(member, len(content)) + content + tar.padding(len(content)))


def _about(collection: Collection, part: Part) -> bytes:
    if part is Part.META:
        return orjson.dumps({"auto_id": collection.next_id}) + b"\n"
    fields: dict[str, Any] = collection.learned.describe()["fields"]
    # The example is JSON text already, with integers that orjson could not write.
    example = collection.example or "null"
    parts = (orjson.dumps(sorted(fields)), example.encode(), orjson.dumps(fields))
    return b'{"fields":%b,"example":%b,"types":%b}\n' % parts


class _Output:
    """Writes in pieces of some size. A pipe or a file."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._waiting = bytearray()
        self.written = 0

    def write(self, content: bytes) -> None:
        self._waiting += content
        if len(self._waiting) >= _BUFFERED:
            self.flush()

    def flush(self) -> None:
        """StoreError when it cannot be written: NoStorage or QuotaExceeded when there is no room for it."""
        try:
            with memoryview(self._waiting) as view:
                done = 0
                while done < len(view):
                    done += os.write(self._file, view[done:])
        except OSError as error:
            reason = f"the archive could not be written: {os.strerror(error.errno or 0)}"
            raise _FULL.get(error.errno or 0, StoreError)(reason) from error
        self.written += len(self._waiting)
        self._waiting.clear()
