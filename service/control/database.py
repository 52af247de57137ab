"""Connections to the control database, and one error for whatever it refuses.

A change waits for its turn at the start of its transaction and not in the middle: SQLite's BEGIN IMMEDIATE
(lang_transaction.html), on PostgreSQL the first row that it locks. So none fails for another's sake.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service.database_url import sqlite_path
from service.errors import ControlUnavailable
from service.secret import Secret
from service.threads import WANTING, for_want_of_a_thread

_BUSY_SECONDS: Final = 5
_CONNECTIONS: Final = 4
_BEGIN: Final = "lars_begin"
_PRAGMAS = (f"busy_timeout = {_BUSY_SECONDS * 1000}", "foreign_keys = ON", "synchronous = FULL")
_Begin = Literal["IMMEDIATE", "DEFERRED"]


class Database:
    """A few connections, opened when they are first used. ``seconds``: the most that one statement may take
    on a server. Close it: each connection to SQLite has a thread.

    Every method raises ControlUnavailable for what the database or the way to it refuses."""

    def __init__(self, url: Secret, seconds: float = 10.0) -> None:
        self.path = sqlite_path(url.reveal())
        self._refusals: tuple[type[Exception], ...] = (SQLAlchemyError, OSError)
        if self.path is not None:
            self._engine = _sqlite(self.path)
        else:
            self._engine, refusals = _postgresql(url, seconds)
            self._refusals += refusals
        self._where = _where(self._engine.url)
        # Where the disk hangs, or another process has the database, writes stand; those who read must not.
        self._writers = asyncio.Semaphore(_CONNECTIONS - 1)

    async def close(self) -> None:
        """Ends the connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """For single statements, each of which sees what is committed when it begins."""
        async with self._connection(
            {} if self.path is not None else {"isolation_level": "AUTOCOMMIT"}
        ) as one:
            yield one

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """For statements that must all see the database as it is now. They may only read."""
        level: _Begin = "DEFERRED"
        options = {_BEGIN: level} if self.path is not None else {"isolation_level": "REPEATABLE READ"}
        async with self._connection(options) as one:
            yield one

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed when the block ends and undone when it raises."""
        level: _Begin = "IMMEDIATE"
        options = {_BEGIN: level} if self.path is not None else {}
        async with self._turn_to_write(), self._connection(options) as one:
            yield one
            await one.commit()

    @asynccontextmanager
    async def _turn_to_write(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_BUSY_SECONDS):
                await self._writers.acquire()
        except TimeoutError as error:
            raise ControlUnavailable(f"{self._where}: {_CONNECTIONS - 1} writes stand already") from error
        try:
            yield
        finally:
            self._writers.release()

    @asynccontextmanager
    async def _connection(self, options: dict[str, Any]) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.execution_options(**options).connect() as one:
                yield one
        except self._refusals as error:
            raise ControlUnavailable(f"{self._where}: {_reason(error)}") from error
        except RuntimeError as error:
            if for_want_of_a_thread(error):  # each connection to SQLite has one
                raise ControlUnavailable(f"{self._where}: {WANTING}") from error
            raise


def _sqlite(path: str) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=path),
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_BUSY_SECONDS,
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # or the driver begins transactions when it likes (sqlite3)
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: Connection) -> None:
        kind: _Begin | None = connection.get_execution_options().get(_BEGIN)
        if kind is not None:
            connection.exec_driver_sql(f"BEGIN {kind}")

    return engine


def _postgresql(url: Secret, seconds: float) -> tuple[AsyncEngine, tuple[type[Exception], ...]]:
    """With what its driver raises, and SQLAlchemy lets pass."""
    from service.control.postgresql import (  # noqa: PLC0415 - imports the driver
        REFUSALS,
        look_at_connections,
    )

    engine = create_async_engine(
        make_url(url.reveal()),
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_BUSY_SECONDS,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_SECONDS, "command_timeout": seconds},
    )
    look_at_connections(engine.sync_engine, seconds)
    return engine, REFUSALS


def _where(url: URL) -> str:
    """Which database it is; nothing of who asks."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite file {url.database}"
    host = url.host or url.query.get("host")
    return f"PostgreSQL at {host}{f':{url.port}' if url.port else ''}, database {url.database or 'default'}"


def _reason(error: Exception) -> str:
    """What the database said, on one line; SQLAlchemy's own words would quote the statement."""
    said: BaseException = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return " ".join(str(said).split()) or type(said).__name__
