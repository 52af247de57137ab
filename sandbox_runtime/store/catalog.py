"""The collections of a session: one row each, and one table of records each.

A collection's counters live in memory while a transaction runs and are written once, at its end: an insert
then costs one statement, and a commit one more for each collection it changed. They are forgotten whenever
someone else changed the file, and by a rollback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox_runtime.store.errors import BadQuery, QuotaExceeded, shown
from sandbox_runtime.store.learned import Learned
from sandbox_runtime.store.limits import MAX_COLLECTIONS, MAX_EXAMPLE_BYTES, MAX_NAME_CHARS

if TYPE_CHECKING:
    from sandbox_runtime.store.connection import Connection

SCHEMA = (
    """
    CREATE TABLE collections (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        next_id INTEGER NOT NULL,
        count INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        example TEXT,
        learned TEXT
    )
    """,
    """
    CREATE TABLE indexes (
        collection INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (collection, path)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('revision', 0)",
)


class Collection:
    """One collection's counters and the SQL of its table. ``next_id`` was never used as an id, nor was any
    integer above it; ``revision`` is the highest that a row of it ever had."""

    __slots__ = (
        "add",
        "by_id",
        "count",
        "erase",
        "example",
        "learned",
        "name",
        "next_id",
        "number",
        "revise",
        "revision",
        "table",
        "touched",
    )

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.next_id = 1
        self.count = 0
        self.revision = 0
        self.example: str | None = None
        self.learned = Learned(None)
        self.touched = False
        self.table = f"r{number}"
        self.by_id = f"SELECT id, revision, body FROM {self.table} WHERE id = ?"  # noqa: S608 - a number
        self.add = f"INSERT INTO {self.table} (id, revision, body) VALUES (?, ?, ?)"  # noqa: S608 - a number
        self.revise = f"UPDATE {self.table} SET revision = ?, body = ? WHERE id = ?"  # noqa: S608 - a number
        self.erase = f"DELETE FROM {self.table} WHERE id = ?"  # noqa: S608 - a number

    def next_revision(self) -> int:
        """A revision that no row of this collection ever had."""
        self.touched = True
        self.revision += 1
        return self.revision

    def observe(self, record: dict[str, object], body: str) -> None:
        """Learn from a record that was written."""
        if (self.learned.observe(record) or self.example is None) and len(body) <= MAX_EXAMPLE_BYTES:
            self.example = body


class Catalog:
    """Collections by name, read when first asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, Collection] = {}

    def find(self, name: str) -> Collection | None:
        """The collection, or None while nothing was ever inserted."""
        known = self._known.get(name)
        if known is not None:
            return known
        rows = self._connection.rows(
            "SELECT number, next_id, count, revision, example, learned FROM collections WHERE name = ?",
            (name,),
        )
        return self._remember(name, rows[0]) if rows else None

    def create(self, name: str) -> Collection:
        """The collection, made when it is not there. BadQuery for a name that cannot be one."""
        found = self.find(name)
        if found is not None:
            return found
        count = self._connection.rows("SELECT count(*) FROM collections")[0][0]
        if count >= MAX_COLLECTIONS:
            raise QuotaExceeded(
                f"the session has {count} collections, the limit is {MAX_COLLECTIONS}; drop one",
                limit=MAX_COLLECTIONS,
            )
        revision = self._connection.rows("SELECT value FROM meta WHERE name = 'revision'")[0][0]
        self._connection.run(
            "INSERT INTO collections (name, next_id, count, revision) VALUES (?, 1, 0, ?)", (name, revision)
        )
        made = self.find(name)
        if made is None:
            raise RuntimeError("the collection just inserted is not there")
        # No type on id: an integer stays one and a text stays one.
        self._connection.run(
            f"CREATE TABLE {made.table} (seq INTEGER PRIMARY KEY, id NOT NULL UNIQUE,"
            " revision INTEGER NOT NULL, body TEXT NOT NULL)"
        )
        return made

    def drop(self, collection: Collection) -> None:
        """Forget the collection. Its revisions are never used again: no old ETag fits a new record."""
        self._connection.run(
            "UPDATE meta SET value = max(value, ?) WHERE name = 'revision'", (collection.revision,)
        )
        self._connection.run("DELETE FROM indexes WHERE collection = ?", (collection.number,))
        self._connection.run("DELETE FROM collections WHERE number = ?", (collection.number,))
        self._connection.run(f"DROP TABLE {collection.table}")
        del self._known[collection.name]

    def names(self) -> list[str]:
        """In the order in which they came to be."""
        return [row[0] for row in self._connection.rows("SELECT name FROM collections ORDER BY number")]

    def forget(self) -> None:
        """Read everything anew."""
        self._known.clear()

    def flush(self) -> None:
        """Write the counters of every collection that changed."""
        for collection in self._known.values():
            if collection.touched:
                self._write(collection)

    def _write(self, collection: Collection) -> None:
        counters = (collection.next_id, collection.count, collection.revision)
        if collection.learned.changed:
            self._connection.run(
                "UPDATE collections SET next_id = ?, count = ?, revision = ?, example = ?, learned = ?"
                " WHERE number = ?",
                (*counters, collection.example, collection.learned.text, collection.number),
            )
            collection.learned.changed = False
        else:
            self._connection.run(
                "UPDATE collections SET next_id = ?, count = ?, revision = ? WHERE number = ?",
                (*counters, collection.number),
            )
        collection.touched = False

    def _remember(self, name: str, row: tuple[int, int, int, int, str | None, str | None]) -> Collection:
        collection = Collection(row[0], name)
        collection.next_id, collection.count, collection.revision, collection.example = row[1:5]
        collection.learned = Learned(row[5])
        self._known[name] = collection
        return collection


def check_name(name: object) -> str:
    """BadQuery unless the name can be a collection's."""
    if not isinstance(name, str) or not name or len(name) > MAX_NAME_CHARS or "\0" in name:
        raise BadQuery(
            f"the collection name {shown(name)} is not 1 to {MAX_NAME_CHARS} characters without U+0000"
        )
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise BadQuery(f"the collection name {shown(name)} is not Unicode: {error.reason}") from error
    return name
