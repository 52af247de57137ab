"""One collection, as a plan sees it: the seed's small interface and what grew around it.

Every method works inside the transaction that ``SessionDatabase.begin`` started. Ids may come as the text of
a URL. What is returned belongs to the caller: changing it changes nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sandbox_runtime.store import patches, relations, rows, selection
from sandbox_runtime.store.catalog import Collection
from sandbox_runtime.store.conditions import Filters, Link, Where, where
from sandbox_runtime.store.encoding import Record, decode, decode_all
from sandbox_runtime.store.errors import BadRecord, PatchInvalid, StoreError, TooManyAffected, shown
from sandbox_runtime.store.learned import Learned
from sandbox_runtime.store.limits import MAX_BULK, MAX_INTEGER_ID
from sandbox_runtime.store.revisions import check_match, collection_etag, row_etag

if TYPE_CHECKING:
    from sandbox_runtime.store.database import SessionDatabase

Records = list[Record]
Listing = tuple[Records, int]


class ResourceStore:
    """``name`` need not exist yet: then reads find nothing, and the first insert makes it."""

    __slots__ = ("_connection", "_database", "name")

    def __init__(self, database: SessionDatabase, name: str) -> None:
        self._database = database
        self._connection = database.connection
        self.name = name

    # One record

    def get(self, id: object) -> Record | None:  # noqa: A002 - what plans have always called it
        """The record, or None."""
        found = self._row(id)
        return found.record() if found else None

    def etag(self, id: object) -> str | None:  # noqa: A002
        """The record's ETag, or None. It is the one that ``if_match`` is compared with."""
        found = self._row(id)
        return row_etag(found.revision) if found else None

    def insert(self, record: Mapping[str, Any], alike: bool = False) -> Record:
        """The record as stored. Without an id (or with null) it gets the next integer, first in the record; a
        client's own id is kept, and the integers given out later are above it. ``alike``: the id given out is
        a text, when all ids before it were texts. DuplicateId, BadRecord."""
        self._database.require_write()
        return rows.add(self._connection, self._database.catalog.create(self.name), record, alike)

    def insert_many(self, records: Sequence[Mapping[str, Any]], alike: bool = False) -> Records:
        """All or none; an error's ``extra["index"]`` says which record it was."""
        if not isinstance(records, list | tuple):
            raise BadRecord(f"{shown(records)} is not a list of records")
        if len(records) > MAX_BULK:
            raise BadRecord(
                f"there are {len(records)} records, the limit is {MAX_BULK}; send them in several requests",
                limit=MAX_BULK,
            )
        inserted: Records = []
        with self._database.all_or_nothing():
            for index, record in enumerate(records):
                try:
                    inserted.append(self.insert(record, alike))
                except StoreError as error:
                    raise type(error)(
                        f"record {index}: {error.detail}", **{**error.extra, "index": index}
                    ) from error
        return inserted

    def replace(self, id: object, record: Mapping[str, Any], if_match: str | None = None) -> Record | None:  # noqa: A002
        """The new record, which has the id of the old one; None when there is none."""
        return self._change(id, if_match, lambda row: rows.with_id(row.id, record))

    def update(self, id: object, changes: Mapping[str, Any], if_match: str | None = None) -> Record | None:  # noqa: A002
        """Set these members and keep the others; null is stored, an id among them ignored."""
        return self._change(id, if_match, lambda row: rows.merged(row, changes))

    def merge_patch(self, id: object, patch: object, if_match: str | None = None) -> Record | None:  # noqa: A002
        """RFC 7396: null removes, objects merge. The id stays whatever the patch says."""

        def patched(row: rows.Row) -> Record:
            if not isinstance(patch, dict):
                raise PatchInvalid(f"the merge patch is {shown(patch)}; a record can only become an object")
            merged = patches.merge_patched(
                row.record(), {key: value for key, value in patch.items() if key != "id"}
            )
            return rows.with_id(row.id, merged)

        return self._change(id, if_match, patched)

    def json_patch(self, id: object, operations: object, if_match: str | None = None) -> Record | None:  # noqa: A002
        """RFC 6902: every operation or none. A result with another id is PatchInvalid."""

        def patched(row: rows.Row) -> Record:
            result = patches.json_patched(row.record(), operations)
            if not isinstance(result, dict) or not patches.same_json(result.get("id"), row.id):
                raise PatchInvalid("the patch would change the record's id or what it is; leave /id as it is")
            result["id"] = row.id
            return result

        return self._change(id, if_match, patched)

    def delete(self, id: object, if_match: str | None = None, cascade: bool = False) -> bool:  # noqa: A002
        """Whether it was there. ``cascade`` also deletes the records of other collections that point to it by
        ``<singular>Id``, and so on from those."""
        self._database.require_write()
        collection, found = self._collection(), self._row(id)
        if collection is None or found is None:
            return False
        check_match(if_match, row_etag(found.revision))
        if cascade:
            with self._database.all_or_nothing():
                relations.delete_with_children(self._database, self.name, found.id)
        else:
            rows.remove(self._connection, collection, found)
        return True

    # Many records

    def list(self, limit: object = None, offset: object = 0, sort: object = None) -> Listing:
        """A page and the number of all records."""
        return self.find({}, limit=limit, offset=offset, sort=sort)

    def search(self, filters: Filters) -> Records:
        """Every record that matches."""
        return self.find(filters)[0]

    def find(  # noqa: PLR0913, PLR0917 - one name for each part of a query string
        self,
        filters: Filters,
        q: object = None,
        sort: object = None,
        limit: object = None,
        offset: object = 0,
        fields: object = None,
        links: Sequence[Link] = (),
    ) -> Listing:
        """A page and how many there are in all. ``filters`` as in ``conditions.py``, ``sort`` and ``fields``
        as in ``selection.py``, ``q`` a text to find in any value. Each of ``links`` is (field, value) that
        must hold besides, whatever the filters say; of several fields, one."""
        window = selection.page(limit, offset)
        terms = selection.order(sort)
        wanted = selection.fields(fields)
        condition = where(filters, q, links, self._learned())
        collection = self._collection()
        if collection is None:
            return [], 0
        self._database.indexes.note(collection, (*condition.paths, *terms.paths))
        sql, parameters = selection.select_page(collection.table, condition.clause, terms.sql, window)
        bodies = self._connection.bodies(sql, parameters)
        found = decode_all([row[0] for row in bodies])
        total = self._total(collection, condition, window, len(found))
        if wanted is not None:
            found = [selection.projected(record, wanted) for record in found]
        return found, total

    def count(self, filters: Filters, q: object = None, links: Sequence[Link] = ()) -> int:
        """How many records match."""
        condition = where(filters, q, links, self._learned())
        collection = self._collection()
        return 0 if collection is None else self._count(collection, condition)

    def update_where(
        self,
        filters: Filters,
        changes: Mapping[str, Any],
        max_affected: object = None,
        links: Sequence[Link] = (),
    ) -> Records:
        """``update`` for every match, all or none; the records as they are now. TooManyAffected."""
        self._database.require_write()
        condition = where(filters, None, links, self._learned())
        collection = self._collection()
        if collection is None:
            return []
        self._refuse_too_many(collection, condition, max_affected)
        sql = f"SELECT id, revision, body FROM {collection.table} WHERE {condition.clause.sql}"  # noqa: S608
        found = self._connection.bodies(f"{sql} ORDER BY seq", condition.clause.parameters)
        with self._database.all_or_nothing():
            collection = self._database.catalog.create(self.name)
            affected = [rows.Row(*row) for row in found]
            return [
                rows.change(self._connection, collection, row, rows.merged(row, changes)) for row in affected
            ]

    def delete_where(self, filters: Filters, max_affected: object = None, links: Sequence[Link] = ()) -> int:
        """Delete every match; how many there were. TooManyAffected."""
        self._database.require_write()
        condition = where(filters, None, links, self._learned())
        collection = self._collection()
        if collection is None:
            return 0
        self._refuse_too_many(collection, condition, max_affected)
        sql = f"DELETE FROM {collection.table} WHERE {condition.clause.sql}"  # noqa: S608 - values are bound
        deleted = self._connection.run(sql, condition.clause.parameters).rowcount
        if deleted:
            collection.next_revision()
            collection.count -= deleted
        return deleted

    # Relations

    def embed(self, records: Sequence[Record], child: str) -> Records:
        """Copies of this collection's records, each with its children of that collection under its name."""
        return relations.embedded(self._database, self.name, list(records), child)

    def expand(self, records: Sequence[Record], parent: str) -> Records:
        """Copies of this collection's records, each with the parent that ``<parent>Id`` points to."""
        return relations.expanded(self._database, list(records), parent)

    # The collection itself

    def collection_etag(self) -> str | None:
        """Of the whole collection: any change of any of its records changes it. None when it is not there."""
        collection = self._collection()
        return collection_etag(collection.number, collection.revision) if collection else None

    def describe(self) -> dict[str, Any]:
        """What ``learned.py`` says; ``name``, ``count``, ``auto_id`` (the next integer id), ``example``."""
        collection = self._collection()
        if collection is None:
            return {"name": self.name, "count": 0, "auto_id": 1, "example": None, **Learned(None).describe()}
        return {
            "name": self.name,
            "count": collection.count,
            "auto_id": collection.next_id,
            "example": decode(collection.example) if collection.example else None,
            **collection.learned.describe(),
        }

    def raise_auto_id(self, value: object) -> None:
        """Give out no integer id below ``value`` from now on; for an import."""
        self._database.require_write()
        number = selection.whole_number("auto_id", value)
        collection = self._database.catalog.create(self.name)
        collection.next_id = max(collection.next_id, min(number, MAX_INTEGER_ID + 1))
        collection.touched = True

    def _collection(self) -> Collection | None:
        return self._database.catalog.find(self.name)

    def _row(self, wanted: object) -> rows.Row | None:
        collection = self._collection()
        return None if collection is None else rows.find(self._connection, collection, wanted)

    def _change(
        self, wanted: object, if_match: str | None, changed: Callable[[rows.Row], Record]
    ) -> Record | None:
        self._database.require_write()
        collection, found = self._collection(), self._row(wanted)
        if collection is None or found is None:
            return None
        check_match(if_match, row_etag(found.revision))
        return rows.change(self._connection, collection, found, changed(found))

    def _learned(self) -> Learned:
        collection = self._collection()
        return collection.learned if collection else Learned(None)

    def _total(self, collection: Collection, condition: Where, window: selection.Page, found: int) -> int:
        """Without counting, where the page itself tells."""
        ends_here = window.limit is None or found < window.limit
        if ends_here and (found or not window.offset):
            return window.offset + found
        return self._count(collection, condition)

    def _count(self, collection: Collection, condition: Where) -> int:
        if not condition.restricts:
            return collection.count
        sql = f"SELECT count(*) FROM {collection.table} WHERE {condition.clause.sql}"  # noqa: S608 - values are bound
        return int(self._connection.rows(sql, condition.clause.parameters)[0][0])

    def _refuse_too_many(self, collection: Collection, condition: Where, max_affected: object) -> None:
        limit = MAX_BULK if max_affected is None else selection.whole_number("max_affected", max_affected)
        affected = self._count(collection, condition)
        if affected > limit:
            raise TooManyAffected(
                f"this would change {affected} records, the limit is {limit}; filter more or raise the limit",
                affected=affected,
                limit=limit,
            )
