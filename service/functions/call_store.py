"""The recorded calls of one node, a file for each contract, that all its fronts write to. Everything blocks.

What is kept is bounded where it is written, in the same transaction: the newest calls of each function, and
of each contract what its file has room for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from service.functions.call_file import PAGE, made, opened, transaction, used_pages
from service.functions.recorded_call import RecordedCall

MAX_FILE: Final = 16 << 20
_MARGIN: Final = 64  # pages that one call may take beyond what is kept, before others make room
_INSERT: Final = (
    "INSERT INTO calls (name, digest, time, run, query, body, value, error, size) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OLDEST: Final = "DELETE FROM calls WHERE id = (SELECT id FROM calls ORDER BY time, id LIMIT 1)"
_BEYOND: Final = (
    "DELETE FROM calls WHERE id IN "
    "(SELECT id FROM calls WHERE name = ? ORDER BY time DESC, id DESC LIMIT -1 OFFSET ?)"
)
_CALLS: Final = (
    "SELECT digest, query, body, value, error, run, time FROM calls WHERE name = ? AND digest = ? "
    "ORDER BY time, id"
)
_KEPT: Final = (
    "SELECT count(*), coalesce(sum(size), 0), min(time), max(time), "
    "coalesce((SELECT too_long FROM functions WHERE name = :name), 0) FROM calls WHERE name = :name"
)
_TOO_LONG: Final = (
    "INSERT INTO functions (name, too_long) VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET too_long = too_long + excluded.too_long"
)
_ERASED: Final = (
    "INSERT INTO functions (name, floor) VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET floor = max(floor, excluded.floor), too_long = 0"
)
_RESTORED: Final = "UPDATE functions SET floor = 0 WHERE name = ? AND floor > ?"


class Noted(NamedTuple):
    """A call that is to be kept. ``revision``: of the function as it was when it was called; ``size``: bytes
    of what came and of what was returned."""

    revision: int
    size: int
    call: RecordedCall


@dataclass(frozen=True, slots=True)
class Batch:
    """Of one function, oldest first. ``too_long``: how many calls were not noted for that; ``most``: how
    many are kept in all."""

    calls: Sequence[Noted]
    too_long: int
    most: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one function. ``size``: bytes of arguments and results; ``oldest`` and ``newest``:
    seconds since the epoch, None where there is no call."""

    calls: int = 0
    size: int = 0
    oldest: float | None = None
    newest: float | None = None
    too_long: int = 0


class CallStore:
    """``root``: LARS_DATA_ROOT; ``contract``: a visible_pixel_hash in lower case; ``name``: a function's.
    Every method raises OSError and sqlite3.Error."""

    def __init__(self, root: Path, max_file: int = MAX_FILE) -> None:
        """``max_file``: bytes of one contract's file, at least MARGIN pages."""
        self._root = root
        self._most_pages = max_file // PAGE

    def add(self, contract: str, batches: Mapping[str, Batch]) -> None:
        """Keep these, all of them or none; older ones go for them. By the name of the function."""
        with made(self._root, contract, self._most_pages) as connection, transaction(connection):
            floors = dict(connection.execute("SELECT name, floor FROM functions").fetchall())
            for name, batch in batches.items():
                for noted in batch.calls:
                    if noted.revision >= floors.get(name, 0):
                        connection.execute(_INSERT, _row(name, noted))
                        self._make_room(connection)
                if batch.too_long:
                    connection.execute(_TOO_LONG, (name, batch.too_long))
                connection.execute(_BEYOND, (name, batch.most))

    def calls(self, contract: str, name: str, digest: str) -> tuple[RecordedCall, ...]:
        """Those that the version with this digest answered, oldest first."""
        with opened(self._root, contract) as connection:
            if connection is None:
                return ()
            return tuple(_call(*row) for row in connection.execute(_CALLS, (name, digest)))

    def kept(self, contract: str, name: str) -> Kept:
        """How much there is."""
        with opened(self._root, contract) as connection:
            if connection is None:
                return Kept()
            return Kept(*connection.execute(_KEPT, {"name": name}).fetchone())

    def prepare(self, contract: str, name: str, most: int, revision: int) -> None:
        """There is a file, with at most so many calls of this function. ``revision``: the function's now; an
        erasure at a later one was known to a control database that has gone since."""
        with made(self._root, contract, self._most_pages) as connection, transaction(connection):
            connection.execute(_RESTORED, (name, revision))
            connection.execute(_BEYOND, (name, most))

    def erase(self, contract: str, name: str, revision: int) -> None:
        """Nothing of this function is kept, nor will be that another front has noted before ``revision`` and
        has not written yet."""
        with opened(self._root, contract) as connection:
            if connection is None:
                return
            with transaction(connection):
                connection.execute("DELETE FROM calls WHERE name = ?", (name,))
                connection.execute(_ERASED, (name, revision))
                connection.execute("PRAGMA incremental_vacuum").fetchall()

    def _make_room(self, connection: sqlite3.Connection) -> None:
        while used_pages(connection) > self._most_pages - _MARGIN:
            if not connection.execute(_OLDEST).rowcount:
                return


def _row(name: str, noted: Noted) -> tuple[object, ...]:
    call = noted.call
    query = None if call.query is None else orjson.dumps(call.query).decode()
    content = (query, call.body, call.value, call.error)
    return (name, call.digest, call.time, call.run, *content, noted.size)


def _call(digest: str, query: str | None, *rest: Any) -> RecordedCall:
    return RecordedCall(digest, None if query is None else orjson.loads(query), *rest)
