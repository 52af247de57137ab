"""Single records of one collection: found, added, changed, removed, with the counters beside them.

Counters are touched after the statement that they count, so a statement that fails changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox_runtime.store.catalog import Collection
from sandbox_runtime.store.connection import Connection, Unexpected
from sandbox_runtime.store.encoding import Record, decode, encode
from sandbox_runtime.store.errors import BadRecord, DuplicateId, shown
from sandbox_runtime.store.ids import Id, as_integer, check_id, meant
from sandbox_runtime.store.limits import MAX_INTEGER_ID


@dataclass(frozen=True, slots=True)
class Row:
    """A record as it is stored."""

    id: Id
    revision: int
    body: str

    def record(self) -> Record:
        return decode(self.body)


def find(connection: Connection, collection: Collection, wanted: object) -> Row | None:
    """The row that an id means."""
    for candidate in meant(wanted):
        rows = connection.rows(collection.by_id, (candidate,))
        if rows:
            return Row(*rows[0])
    return None


def add(connection: Connection, collection: Collection, record: object, alike: bool = False) -> Record:
    """The record as stored: with its id, the next integer when it had none, which is a text under ``alike``
    when all ids before it were texts. DuplicateId, BadRecord."""
    if not isinstance(record, dict):
        raise BadRecord(f"{shown(record)} is not a JSON object; a record is one")
    given = record.get("id")
    if given is None:
        identifier: Id = collection.next_id
        if collection.next_id > MAX_INTEGER_ID:
            raise BadRecord(
                "the integer ids of this collection are used up; give the record a text as its id"
            )
        if alike and collection.learned.has_text_ids():
            identifier = str(identifier)
        stored = {"id": identifier, **{name: value for name, value in record.items() if name != "id"}}
    else:
        identifier = check_id(given)
        _refuse_twin(connection, collection, identifier)
        stored = record
    body = encode(stored)
    revision = collection.next_revision()
    try:
        connection.run(collection.add, (identifier, revision, body))
    except Unexpected as error:
        if error.extra["unique"]:
            raise _duplicate(collection, identifier) from error
        raise
    number = as_integer(str(identifier))
    if number is not None and number >= collection.next_id:
        collection.next_id = number + 1
    collection.count += 1
    collection.observe(stored, body)
    return stored


def change(connection: Connection, collection: Collection, row: Row, record: Record) -> Record:
    """The record in the row's place, with the row's id."""
    body = encode(record)
    revision = collection.next_revision()
    connection.run(collection.revise, (revision, body, row.id))
    collection.observe(record, body)
    return record


def remove(connection: Connection, collection: Collection, row: Row) -> None:
    """Its id is never given out again."""
    connection.run(collection.erase, (row.id,))
    collection.next_revision()
    collection.count -= 1


def with_id(identifier: Id, record: object) -> Record:
    """The record under this id, whatever id it had itself. BadRecord when it is no object."""
    if not isinstance(record, dict):
        raise BadRecord(f"{shown(record)} is not a JSON object; a record is one")
    return {"id": identifier, **{name: value for name, value in record.items() if name != "id"}}


def merged(row: Row, changes: object) -> Record:
    """The row's record with these members set; its id stays."""
    if not isinstance(changes, dict):
        raise BadRecord(f"{shown(changes)} is not a JSON object; changes are one")
    record = row.record()
    record.update(changes)
    record["id"] = row.id
    return record


def _refuse_twin(connection: Connection, collection: Collection, identifier: Id) -> None:
    """DuplicateId when the same text, read as the other type, is an id already."""
    twin = str(identifier) if isinstance(identifier, int) else as_integer(identifier)
    if twin is not None and connection.rows(collection.by_id, (twin,)):
        raise _duplicate(collection, identifier)


def _duplicate(collection: Collection, identifier: Id) -> DuplicateId:
    return DuplicateId(
        f"{shown(collection.name)} has a record with the id {shown(identifier)}; leave the id out or PUT",
        id=identifier,
    )
