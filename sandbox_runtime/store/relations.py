"""Relations between collections by json-server's convention: a child's ``<singular of the parent>Id``, or
``…_id`` as others spell it.

A foreign key points to the id that its text means (``ids.py``): 1 and "1" point to the same record.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sandbox_runtime.foreign_keys import foreign_keys, member_path, singular
from sandbox_runtime.store import rows
from sandbox_runtime.store.catalog import Collection, check_name
from sandbox_runtime.store.encoding import Record, decode_all
from sandbox_runtime.store.ids import Id, meant
from sandbox_runtime.store.paths import Path, parse_path

if TYPE_CHECKING:
    from sandbox_runtime.store.database import SessionDatabase

# Each id is up to two bound values, and SQLite takes 32,766.
_CHUNK = 10_000


def _key_paths(parent: str) -> list[Path]:
    """The fields of a child that may hold the id of its parent."""
    return [parse_path(member_path(key)) for key in foreign_keys(parent)]


def embedded(database: SessionDatabase, parent: str, records: list[Record], child: str) -> list[Record]:
    """Copies with a list of children each; of a collection that is not there, none."""
    collection = database.catalog.find(check_name(child))
    children: defaultdict[str, dict[str, Record]] = defaultdict(dict)
    ids = _distinct(record.get("id") for record in records)
    for key in _key_paths(parent) if collection is not None else ():
        for found in _pointing(database, collection, key, ids):
            children[str(found.get(key.parts[0]))].setdefault(str(found["id"]), found)
    none: dict[str, Record] = {}
    return [{**record, child: [*children.get(str(record.get("id")), none).values()]} for record in records]


def expanded(database: SessionDatabase, records: list[Record], parent: str) -> list[Record]:
    """Copies with their parent under its singular name; a record whose parent is not there stays as it is."""
    collection = _collection_of(database, check_name(parent))
    name = singular(parent)
    if collection is None:
        return list(records)
    parents: dict[str, Record] = {}
    pointers = [_pointer(record, parent) for record in records]
    ids = [one for pointer in _distinct(pointers) for one in meant(pointer)]
    for record in _where_in(database, collection, "id", ids):
        parents[str(record["id"])] = record
    return [
        _with_parent(record, name, parents, pointer)
        for record, pointer in zip(records, pointers, strict=True)
    ]


def delete_with_children(database: SessionDatabase, name: str, identifier: Id) -> None:
    """The record, and from each deleted record on, whatever points to it. Each record is deleted once, so a
    circle ends."""
    todo: list[tuple[str, Id]] = [(name, identifier)]
    names = database.catalog.names()
    while todo:
        owner, doomed = todo.pop()
        collection = database.catalog.find(owner)
        row = rows.find(database.connection, collection, doomed) if collection else None
        if collection is None or row is None:
            continue
        rows.remove(database.connection, collection, row)
        for other in names:
            child = database.catalog.find(other)
            for key in _key_paths(owner) if child is not None and child.count else ():
                todo.extend((other, found["id"]) for found in _pointing(database, child, key, [doomed]))


def _pointer(record: Record, parent: str) -> object:
    own, other = (record.get(key.parts[0]) for key in _key_paths(parent))
    return other if own is None else own


def _with_parent(record: Record, name: str, parents: dict[str, Record], key: object) -> Record:
    if isinstance(key, int | str) and not isinstance(key, bool) and str(key) in parents:
        return {**record, name: dict(parents[str(key)])}
    return record


def _collection_of(database: SessionDatabase, parent: str) -> Collection | None:
    """The collection that a singular or plural name means."""
    direct = database.catalog.find(parent)
    if direct is not None:
        return direct
    matching = [name for name in database.catalog.names() if singular(name) == parent]
    return database.catalog.find(matching[0]) if matching else None


def _pointing(
    database: SessionDatabase, collection: Collection | None, key: Path, ids: list[Id]
) -> list[Record]:
    if collection is None or collection.learned.kinds_at(key.parts) == frozenset():
        return []  # no record ever had it
    database.indexes.note(collection, [key] if key.indexable else [])
    return _where_in(database, collection, key.key, [one for pointed in ids for one in meant(pointed)])


def _where_in(database: SessionDatabase, collection: Collection, key: str, wanted: list[Id]) -> list[Record]:
    """Records whose key is one of those, as they were inserted. BadQuery for more than memory should hold."""
    found: list[Record] = []
    for start in range(0, len(wanted), _CHUNK):
        some = wanted[start : start + _CHUNK]
        marks = ",".join("?" * len(some))
        sql = f"SELECT body FROM {collection.table} WHERE {key} IN ({marks}) ORDER BY seq"  # noqa: S608
        found.extend(decode_all([row[0] for row in database.connection.bodies(sql, some)]))
    return found


def _distinct(values: object) -> list[Id]:
    seen: dict[str, Id] = {}
    for value in values:  # type: ignore[attr-defined]
        if isinstance(value, int | str) and not isinstance(value, bool) and value != "":
            seen.setdefault(str(value), value)
    return list(seen.values())
