"""A whole collection in the order of insertion, in pieces: however large it is, one piece is in memory."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox_runtime.store.catalog import Collection
from sandbox_runtime.store.connection import Connection

PAGE_CHARS = 1 << 20


def pages(connection: Connection, collection: Collection) -> Iterator[list[str]]:
    """Bodies (JSON texts), about PAGE_CHARS characters at once. All within one transaction, each page with
    the time of a whole one: the caller may take its own time in between."""
    sql = f"SELECT seq, body FROM {collection.table} WHERE seq > ? ORDER BY seq"  # noqa: S608 - a number
    # Nothing of ours writes a row number, so SQLite gives them out from 1.
    last = 0
    while True:
        connection.renew()
        found = connection.some(sql, (last,), PAGE_CHARS)
        if not found:
            return
        last = found[-1][0]
        yield [row[1] for row in found]


def text_bytes(connection: Connection, collection: Collection) -> tuple[int, int]:
    """How many records there are, and how many bytes (UTF-8) their bodies have in all."""
    connection.renew()
    sql = f"SELECT count(*), total(length(CAST(body AS BLOB))) FROM {collection.table}"  # noqa: S608 - a number
    count, size = connection.rows(sql)[0]
    return int(count), int(size)
