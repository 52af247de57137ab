"""What a session has, for people and for its OpenAPI document."""

from __future__ import annotations

import orjson

from sandbox_runtime.store.catalog import Collection
from sandbox_runtime.store.database import SessionDatabase


def describe(database: SessionDatabase) -> dict[str, object]:
    """``{"bytes", "collections": {name: {"records", "next_id", "observed", "complete", "fields", "example",
    "indexes"}}}``.

    ``records`` is how many there are now, ``observed`` how many writes ``fields`` was learned from, which is
    with ``complete`` as ``learned.Learned.describe`` has it. Integers of more than 64 bits are floats in
    ``example``.
    """
    with database.transaction(write=False) as session:
        # What begins with an underscore is how resources are kept that are no collections.
        found = [database.catalog.find(name) for name in session.names() if not name.startswith("_")]
        collections = {one.name: _described(database, one) for one in found if one is not None}
        return {"bytes": database.used_bytes(), "collections": collections}


def _described(database: SessionDatabase, collection: Collection) -> dict[str, object]:
    learned = collection.learned.describe()
    return {
        "records": collection.count,
        "next_id": collection.next_id,
        "observed": learned["records"],
        "complete": learned["complete"],
        "fields": learned["fields"],
        "example": orjson.loads(collection.example) if collection.example else None,
        "indexes": database.indexes.paths(collection),
    }
