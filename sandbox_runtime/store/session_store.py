"""The collections of a session, as a plan sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox_runtime.store.catalog import check_name
from sandbox_runtime.store.paths import is_index, parse_path
from sandbox_runtime.store.resource import ResourceStore

if TYPE_CHECKING:
    from sandbox_runtime.store.database import SessionDatabase


class SessionStore:
    """Only for use between ``begin`` and ``commit`` of its database."""

    def __init__(self, database: SessionDatabase) -> None:
        self._database = database

    def collection(self, name: str) -> ResourceStore:
        """The collection of this name, whether it is there or not: its first insert makes it."""
        return ResourceStore(self._database, check_name(name))

    def exists(self, name: str, field: str | None = None) -> bool:
        """Whether anything was ever inserted under this name; with a field (a path, as in a filter), whether
        any of it may have had that field. BadQuery for what cannot be a name or a field."""
        found = self._database.catalog.find(check_name(name))
        path = None if field is None else parse_path(field)
        if found is None or path is None or path.parts == ("id",):
            return found is not None
        # A part that counts into an array is not in what was learned of members.
        return any(map(is_index, path.parts)) or found.learned.kinds_at(path.parts) != frozenset()

    def names(self) -> list[str]:
        """Every collection, in the order in which they came to be."""
        return self._database.catalog.names()

    def drop(self, name: str) -> bool:
        """Forget the collection, its records, counter and learned types. False when it was not there."""
        self._database.require_write()
        found = self._database.catalog.find(check_name(name))
        if found is None:
            return False
        self._database.catalog.drop(found)
        self._database.indexes.forget()
        return True
