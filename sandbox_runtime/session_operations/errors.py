"""What is wrong with an import, beside what the store itself refuses."""

from __future__ import annotations

from sandbox_runtime.store.errors import BadRecord, StoreError, shown


class BadArchive(BadRecord):
    """No tar, or one with what a session's archive never has."""

    code = "bad_archive"


class BadJson(BadRecord):
    """Not JSON, or not of the form that is read here."""

    code = "bad_json"


class CollectionExists(StoreError):
    """The session has such a collection already, with records."""

    status = 409
    code = "collection_exists"


def located(error: StoreError, collection: str, index: int | None = None) -> StoreError:
    """The same error, saying where it is; ``extra`` has ``collection`` and ``index``."""
    place = f"collection {shown(collection)}" + ("" if index is None else f", record {index}")
    where = {"collection": collection} if index is None else {"collection": collection, "index": index}
    return type(error)(f"{place}: {error.detail}", **{**error.extra, **where})
