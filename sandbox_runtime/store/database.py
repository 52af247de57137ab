"""One session's data: one SQLite file, one transaction per request over all its collections.

Nothing is acknowledged before ``commit`` returns; with ``full_sync`` it is on the disk then (WAL with
``synchronous=FULL``). Writers take the write lock at once (``BEGIN IMMEDIATE``), so a transaction that has
begun never fails for another one's sake.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox_runtime.store.catalog import SCHEMA, Catalog
from sandbox_runtime.store.connection import Connection
from sandbox_runtime.store.errors import Damaged, ReadOnly, SessionBusy, SessionGone, StoreError
from sandbox_runtime.store.indexes import Indexes
from sandbox_runtime.store.replays import SCHEMA as REPLAYS_SCHEMA
from sandbox_runtime.store.replays import Replays
from sandbox_runtime.store.session_store import SessionStore

FORMAT = 1
_GONE = 2**31 - 1
PAGE_BYTES = 4096
# The smallest file that holds the tables themselves and a first collection.
_MIN_PAGES = 32
_INDEX_SECONDS = 10.0


class SessionDatabase:
    """``quota`` bounds the data file in bytes; the write-ahead log beside it is cut back to a megabyte after
    each checkpoint and may for a moment grow with the size of one transaction. ``seconds`` bounds what one
    transaction's statements take, ``busy_seconds`` the wait for another process."""

    def __init__(
        self,
        path: str = "data.db",
        quota: int = 256 << 20,
        full_sync: bool = True,
        *,
        seconds: float = 5.0,
        busy_seconds: float = 5.0,
    ) -> None:
        self._connection = Connection(path, busy_seconds)
        self._seconds = seconds
        self._busy_seconds = busy_seconds
        self._catalog = Catalog(self._connection)
        self._indexes = Indexes(self._connection)
        self._version = -1
        self._writing = False
        self.session_store = SessionStore(self)
        self.replays = Replays(self._connection)
        try:
            self._open(quota, full_sync)
        except StoreError:
            self._connection.close()
            raise

    @property
    def connection(self) -> Connection:
        return self._connection

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    @property
    def indexes(self) -> Indexes:
        return self._indexes

    def begin(self, write: bool, seconds: float | None = None) -> None:
        """Start a transaction. SessionBusy when another process does not let go, SessionGone when one has
        ended the session. ``seconds``: this one may take longer than others, or less."""
        connection = self._connection
        connection.allow(self._seconds if seconds is None else seconds)
        connection.run("BEGIN IMMEDIATE" if write else "BEGIN")
        # Also takes the snapshot, so that what is remembered and what is read belong together.
        version = connection.rows("PRAGMA data_version")[0][0]
        if version != self._version:
            self._forget()
            if self._format() == _GONE:
                self.rollback()
                raise SessionGone("the session was deleted while this request waited; send it again")
            self._version = version
        self._writing = write

    def commit(self, maintain: bool = True) -> None:
        """Make everything since ``begin`` lasting, or raise and keep nothing of it.

        A caller with a reply to send says ``maintain=False``, and ``maintain()`` when the reply has left.
        """
        try:
            if self._writing:
                if not self._connection.in_transaction:
                    raise StoreError("an error has ended the transaction; nothing of it was kept")
                self._catalog.flush()
            self._connection.run("COMMIT")
        except StoreError:
            self.rollback()
            raise
        self._writing = False
        if maintain:
            self.maintain()

    def rollback(self) -> None:
        """Undo everything since ``begin``. Does nothing outside a transaction."""
        if self._connection.in_transaction:
            self._connection.run("ROLLBACK")
        if self._writing:
            self._forget()
        self._writing = False

    @contextmanager
    def transaction(self, write: bool = True, seconds: float | None = None) -> Iterator[SessionStore]:
        """Commits, or rolls back when the block raises."""
        self.begin(write, seconds)
        try:
            yield self.session_store
        except BaseException:
            self.rollback()
            raise
        self.commit()

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """A part of a transaction that leaves nothing behind when it raises."""
        self.require_write()
        self._catalog.flush()
        self._connection.run("SAVEPOINT part")
        try:
            yield
        except BaseException:
            # Some errors (a full disk) have ended the whole transaction already.
            if self._connection.in_transaction:
                self._connection.run("ROLLBACK TO part")
                self._connection.run("RELEASE part")
            self._forget()
            raise
        self._connection.run("RELEASE part")

    def maintain(self) -> None:
        """Make the indexes that queries have asked for: a scan's time for each, and mostly there are none. In
        a transaction of its own, whose failure matters to nobody. Only outside a transaction."""
        if not self._indexes.wanted:
            return
        self._connection.wait_for_others(0)
        try:
            self.begin(write=True)
            self._connection.allow(_INDEX_SECONDS)
            self._indexes.make_wanted()
            self._connection.run("COMMIT")
            self._writing = False
        except StoreError as error:
            self.rollback()
            if not isinstance(error, SessionBusy):
                self._indexes.give_up()
        finally:
            self._connection.wait_for_others(self._busy_seconds)

    def end(self) -> None:
        """No transaction begins after this one, in any process that has the file open."""
        self.begin(write=True)
        self._connection.run(f"PRAGMA user_version = {_GONE}")
        self._connection.run("COMMIT")
        self._writing = False

    def require_write(self) -> None:
        """ReadOnly unless this is a writing transaction."""
        if not self._writing:
            raise ReadOnly("this changes data outside a writing transaction; begin(write=True) first")

    def used_bytes(self) -> int:
        """What the data file holds; free pages within it not counted."""
        pages = self._connection.rows("PRAGMA page_count")[0][0]
        free = self._connection.rows("PRAGMA freelist_count")[0][0]
        return int(pages - free) * PAGE_BYTES

    def copy_to(self, path: str, seconds: float | None = None) -> None:
        """A compact copy of the committed data in a new file. Only outside a transaction."""
        self._connection.allow(self._seconds if seconds is None else seconds)
        self._connection.run("VACUUM INTO ?", (path,))

    def close(self) -> None:
        """What was not committed is gone."""
        self._connection.close()

    def _open(self, quota: int, full_sync: bool) -> None:
        run = self._connection.run
        run(f"PRAGMA page_size = {PAGE_BYTES}")
        run("PRAGMA journal_mode = WAL")
        run(f"PRAGMA synchronous = {'FULL' if full_sync else 'NORMAL'}")
        run("PRAGMA temp_store = MEMORY")
        # Not trusted_schema = OFF: SQLite 3.40 would then refuse JSON functions in an index.
        run("PRAGMA cell_size_check = ON")
        run("PRAGMA journal_size_limit = 1048576")
        run(f"PRAGMA max_page_count = {max(_MIN_PAGES, quota // PAGE_BYTES)}")
        if self._format() != FORMAT:
            self._create()

    def _format(self) -> int:
        return int(self._connection.rows("PRAGMA user_version")[0][0])

    def _create(self) -> None:
        self._connection.run("BEGIN IMMEDIATE")
        # Another process may have been first.
        found = self._format()
        if found == 0:
            for statement in (*SCHEMA, *REPLAYS_SCHEMA):
                self._connection.run(statement)
            self._connection.run(f"PRAGMA user_version = {FORMAT}")
        self._connection.run("COMMIT")
        if found == _GONE:
            raise SessionGone("the session is being deleted; send the request again")
        if found not in {0, FORMAT}:
            raise Damaged(
                f"the session's file has format {found}, this program reads {FORMAT}; use a newer one"
            )

    def _forget(self) -> None:
        self._catalog.forget()
        self._indexes.forget()
