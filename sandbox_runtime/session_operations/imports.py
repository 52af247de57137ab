"""Records from a file into the session, all of them or none: an archive (``layout``), or one JSON object of
arrays as json-server keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from sandbox_runtime.session_operations import tar
from sandbox_runtime.session_operations.errors import BadArchive, BadJson, CollectionExists, located
from sandbox_runtime.session_operations.json_reader import JsonReader
from sandbox_runtime.session_operations.layout import Part, file_name, is_directory, part_of
from sandbox_runtime.session_operations.source import Source
from sandbox_runtime.store.catalog import Collection, check_name
from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import StoreError, shown
from sandbox_runtime.store.ids import as_integer
from sandbox_runtime.store.limits import MAX_INTEGER_ID
from sandbox_runtime.store.rows import add

SECONDS = 300.0
# Beside the records: 400 learned types, a small record, a number.
_MAX_ABOUT = 1 << 20
_KINDS = {"{": "one object", '"': "a text", "": "missing"}

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class _Incoming:
    """One collection of a file: its records are an array at the reader's place."""

    name: str
    reader: JsonReader
    next_id: int | None = None
    may_be_object: bool = False


# Where resources are kept that are one object and no list; service/rest/builtin/objects.py reads them.
OBJECTS = "_objects"


def import_tar(database: SessionDatabase, source: Source, replace: bool) -> Counts:
    """Records by collection. BadArchive, BadJson, BadRecord, DuplicateId, CollectionExists, QuotaExceeded."""
    found = _parts(source)
    for (part, name), member in found.items():
        if (Part.RECORDS, name) not in found:
            raise BadArchive(
                f"the member {shown(member.name)} has no {shown(file_name(Part.RECORDS, name))} beside it;"
                " add that or remove this"
            )
        if part is Part.SCHEMA:
            _object(source, member)
    return _all_or_nothing(database, replace, lambda: _incoming_parts(source, found))


def import_json(database: SessionDatabase, source: Source, replace: bool) -> Counts:
    """The same from ``{collection: [records], resource: object}``."""
    return _all_or_nothing(database, replace, lambda: _incoming_members(source))


def _all_or_nothing(
    database: SessionDatabase, replace: bool, incoming: Callable[[], Iterator[_Incoming]]
) -> Counts:
    counts: Counts = {}
    with database.transaction(seconds=SECONDS):
        for one in incoming():
            if one.name in counts:
                raise BadJson(f"the collection {shown(one.name)} is there twice; join the two")
            counts[one.name] = _take_in(database, one, replace)
    return counts


def _incoming_members(source: Source) -> Iterator[_Incoming]:
    reader = JsonReader(source, 0, source.size)
    if reader.peek() != "{":
        raise BadJson("this is not one JSON object {collection: [records]}; send one")
    for name in reader.names():
        yield _Incoming(check_name(name), reader, may_be_object=True)
    reader.end()


def _incoming_parts(source: Source, found: dict[tuple[Part, str], tar.Member]) -> Iterator[_Incoming]:
    for (part, name), member in found.items():
        if part is not Part.RECORDS:
            continue
        meta = found.get((Part.META, name))
        reader = JsonReader(source, member.start, member.size)
        yield _Incoming(name, reader, None if meta is None else _next_id(source, meta))
        try:
            reader.end()
        except BadJson as error:
            raise located(error, name) from error


def _parts(source: Source) -> dict[tuple[Part, str], tar.Member]:
    found: dict[tuple[Part, str], tar.Member] = {}
    for member in tar.members(source):
        if member.directory and is_directory(member.name):
            continue
        if member.directory:
            raise BadArchive(f"the directory {shown(member.name)} is none of a session's; remove it")
        place = part_of(member.name)
        if place in found:
            raise BadArchive(f"the member {shown(member.name)} is there twice, or as two spellings; keep one")
        found[place] = member
    return found


def _object(source: Source, member: tar.Member) -> dict[str, object]:
    if member.size > _MAX_ABOUT:
        raise BadArchive(
            f"the member {shown(member.name)} has {member.size} bytes, the limit is {_MAX_ABOUT}; remove it",
            limit=_MAX_ABOUT,
        )
    try:
        value = orjson.loads(source.exactly(member.start, member.size))
    except orjson.JSONDecodeError as error:
        raise BadArchive(f"the member {shown(member.name)} is not JSON: {error.msg}") from error
    if not isinstance(value, dict):
        raise BadArchive(f"the member {shown(member.name)} is not a JSON object; send one or remove it")
    return value


def _next_id(source: Source, member: tar.Member) -> int:
    value = _object(source, member).get("auto_id")
    if type(value) is not int or not 1 <= value <= MAX_INTEGER_ID + 1:
        raise BadArchive(
            f"the member {shown(member.name)} has the auto_id {shown(value)}; send an integer from 1 to"
            f" {MAX_INTEGER_ID + 1}"
        )
    return value


def _take_in(database: SessionDatabase, incoming: _Incoming, replace: bool) -> int:
    reader, count = incoming.reader, 0
    try:
        start = reader.peek()
        if start == "{" and incoming.may_be_object:
            return _take_object(database, incoming, replace)
        if start != "[":
            kind = _KINDS.get(start, "a single value")
            raise BadJson(f"it is {kind}, not an array; a collection is an array of records")
        collection = _vacant(database, incoming, replace)
    except StoreError as error:
        raise located(error, incoming.name) from error
    store = database.session_store.collection(incoming.name)
    next_id_is_free = False
    try:
        for record in reader.records():
            database.connection.require_time()
            if not next_id_is_free and record.get("id") is None:
                store.raise_auto_id(_highest(database, reader.ahead()) + 1)
                next_id_is_free = True
            add(database.connection, collection, record)
            count += 1
    except StoreError as error:
        raise located(error, incoming.name, count) from error
    return count


def _take_object(database: SessionDatabase, incoming: _Incoming, replace: bool) -> int:
    objects = database.session_store.collection(OBJECTS)
    if objects.get(incoming.name) is not None:
        if not replace:
            raise CollectionExists("the session has such an object; import with replace, or delete it first")
        objects.delete(incoming.name)
    objects.insert({"id": incoming.name, "value": incoming.reader.record()})
    return 1


def _vacant(database: SessionDatabase, incoming: _Incoming, replace: bool) -> Collection:
    """The collection of this name, without records."""
    found = database.catalog.find(incoming.name)
    if found is not None and replace:
        database.session_store.drop(incoming.name)
    elif found is not None and found.count:
        raise CollectionExists(
            f"the session has {found.count} records in it; import with replace, or delete it first",
            records=found.count,
        )
    collection = database.catalog.create(incoming.name)
    if incoming.next_id is not None:
        database.session_store.collection(incoming.name).raise_auto_id(incoming.next_id)
    return collection


def _highest(database: SessionDatabase, reader: JsonReader) -> int:
    """Of the ids still to come, which no record without one may be given before."""
    highest = 0
    try:
        for record in reader.rest():
            database.connection.require_time()
            given = record.get("id")
            if isinstance(given, int | str) and not isinstance(given, bool):
                highest = max(highest, _as_integer(given))
    except BadJson:
        pass  # the import will come to the same place, and say which record it is
    return highest


def _as_integer(given: int | str) -> int:
    if isinstance(given, str):
        return as_integer(given) or 0
    return given if given <= MAX_INTEGER_ID else 0
