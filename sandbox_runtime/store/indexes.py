"""Indexes that come by themselves where filters and sorts keep looking through many records.

A look that had to scan is counted here, in memory; the third one of the same field asks for an index, and the
end of the transaction makes it. An index holds a path's key (``paths.py``), the very expression that queries
use, so SQLite finds it without a hint. Their number is bounded: each costs every write of its collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sandbox_runtime.store.limits import (
    INDEX_AFTER_SCANS,
    INDEX_FROM_RECORDS,
    MAX_INDEXES,
    MAX_INDEXES_PER_COLLECTION,
    MAX_PATH_CHARS,
)
from sandbox_runtime.store.paths import Path, parse_path

if TYPE_CHECKING:
    from sandbox_runtime.store.catalog import Collection
    from sandbox_runtime.store.connection import Connection

# An index gives way to one that is asked for this many times as often.
_WORTH_A_CHANGE = 4
_MAX_COUNTED = 512
_ANALYSED_ROWS = 2000

_Field = tuple[int, str]


class Indexes:
    """What there is, what was asked for how often, and what shall be made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._there: dict[_Field, str] | None = None
        self._asked: dict[_Field, int] = {}
        self._refused: set[_Field] = set()
        self.wanted: set[_Field] = set()

    def note(self, collection: Collection, paths: Iterable[Path]) -> None:
        """A query filtered or sorted on these paths."""
        if collection.count < INDEX_FROM_RECORDS:
            return
        for path in paths:
            field = (collection.number, _normal(path))
            if len(field[1]) > MAX_PATH_CHARS:
                continue
            if len(self._asked) >= _MAX_COUNTED:
                self._asked.clear()
            self._asked[field] = asked = self._asked.get(field, 0) + 1
            if asked >= INDEX_AFTER_SCANS and field not in self._refused and field not in self._known():
                self.wanted.add(field)

    def forget(self) -> None:
        """Read anew what there is."""
        self._there = None

    def paths(self, collection: Collection) -> list[str]:
        """What the collection has indexes of, sorted."""
        return sorted(path for number, path in self._known() if number == collection.number)

    def make_wanted(self) -> None:
        """Make them, inside a writing transaction; those without room for are not asked for again."""
        while self.wanted:
            field = self.wanted.pop()
            if field in self._known() or not self._exists(field[0]):
                continue
            if self._make_room(field):
                self._make(field)
            else:
                self._refused.add(field)

    def give_up(self) -> None:
        """Making them failed (no room in the quota, too slow): do not try again in this process."""
        self._refused |= self.wanted
        self.wanted.clear()

    def _known(self) -> dict[_Field, str]:
        if self._there is None:
            rows = self._connection.rows("SELECT collection, path, name FROM indexes")
            self._there = {(row[0], row[1]): row[2] for row in rows}
        return self._there

    def _exists(self, number: int) -> bool:
        return bool(self._connection.rows("SELECT 1 FROM collections WHERE number = ?", (number,)))

    def _make_room(self, field: _Field) -> bool:
        there = self._known()
        siblings = [other for other in there if other[0] == field[0]]
        if len(siblings) < MAX_INDEXES_PER_COLLECTION and len(there) < MAX_INDEXES:
            return True
        rivals = siblings if len(siblings) >= MAX_INDEXES_PER_COLLECTION else list(there)
        least = min(rivals, key=lambda other: self._asked.get(other, 0))
        if self._asked.get(least, 0) * _WORTH_A_CHANGE > self._asked.get(field, 0):
            return False
        self._connection.run(f"DROP INDEX {there.pop(least)}")
        self._connection.run("DELETE FROM indexes WHERE collection = ? AND path = ?", least)
        return True

    def _make(self, field: _Field) -> None:
        number, text = field
        taken = {int(name.rpartition("_")[2]) for name in self._known().values()}
        name = f"i{number}_{max(taken, default=0) + 1}"
        self._refused.add(field)  # until it is there: a failure on the way shall not be repeated
        self._connection.run(f"CREATE INDEX {name} ON r{number} ({parse_path(text).key})")
        self._connection.run("INSERT INTO indexes VALUES (?, ?, ?)", (number, text, name))
        # Without figures SQLite takes an index of three distinct values for as good as one of a thousand.
        self._connection.run(f"PRAGMA analysis_limit = {_ANALYSED_ROWS}")
        self._connection.run(f"ANALYZE r{number}")
        self._refused.discard(field)
        self._known()[field] = name


def _normal(path: Path) -> str:
    """One spelling of the path."""
    return ".".join(part.replace("\\", "\\\\").replace(".", "\\.") for part in path.parts)
