"""The audit log: entries that are only ever added, each sealed together with all before it.

Adding takes the row of the head first, so entries of several processes come one after the other. What is
recorded is also logged, with its seal: a log kept elsewhere shows later that the database was put back.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

import orjson
import structlog
from sqlalchemy import Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.typing import FilteringBoundLogger

from service.control.database import Database
from service.control.seals import Entry, Event, Head, is_head_of, mac_of, plain, seal_of
from service.control.tables import AUDIT, AUDIT_HEAD
from service.errors import ControlUnavailable, RequestError, kind_of

T = TypeVar("T")
PAGE: Final = 1000
_FOREIGN: Final = (
    "the head of the audit log was not made with this LARS_AUDIT_KEY (or audit.key): give every process the "
    "same one, and ask `lars audit verify`"
)
_HEAD: Final = select(AUDIT_HEAD.c.seq, AUDIT_HEAD.c.seal, AUDIT_HEAD.c.mac)
_Query = Select[Any]
_log: FilteringBoundLogger = structlog.get_logger("service.control.audit")


class AuditLog:
    """``key``: what seals it (``audit_key``). Every method raises ControlUnavailable."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key

    async def append(self, event: Event) -> Entry:
        """Record what has happened."""
        async with self._database.writing() as connection:
            entry = await self._add(connection, await self._head(connection), event)
        _tell(entry)
        return entry

    async def recorded(
        self,
        event: Event,
        work: Callable[[AsyncConnection], Awaitable[T]],
        about: Callable[[T], Mapping[str, object]] | None = None,
    ) -> T:
        """What ``work`` returns, recorded in the same transaction: there is no change without its entry. No
        other recorded work runs meanwhile. When it raises a RequestError, which it must do before it changes
        anything, that is recorded as the outcome, and raised. ``about``: what else to record of what it
        returns."""
        async with self._database.writing() as connection:
            head = await self._head(connection)
            try:
                result = await work(connection)
                done: T | RequestError = result
                if about is not None:
                    event = replace(event, detail={**event.detail, **about(result)})
            except RequestError as error:
                done, event = error, replace(event, outcome=kind_of(error).code)
            entry = await self._add(connection, head, event)
        _tell(entry)
        if isinstance(done, RequestError):
            raise done
        return done

    async def last(self, count: int) -> list[Entry]:
        """The newest entries, the oldest of them first."""
        query = select(AUDIT).order_by(AUDIT.c.seq.desc()).limit(count)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [Entry(*row) for row in reversed(rows)]

    async def tell_whether_foreign(self) -> None:
        """Log it when nothing can be recorded, and so nothing changed: not only the first caller should know.
        What cannot be read now is told by whoever needs it."""
        with suppress(ControlUnavailable):
            async with self._database.reading() as connection:
                if await self._own_head(connection, _HEAD) is None:
                    _log.error("audit_log_foreign", reason=_FOREIGN)

    async def _head(self, connection: AsyncConnection) -> Head:
        head = await self._own_head(connection, _HEAD.with_for_update())
        if head is None:
            raise ControlUnavailable(_FOREIGN)
        return head

    async def _own_head(self, connection: AsyncConnection, query: _Query) -> Head | None:
        row = (await connection.execute(query)).one_or_none()
        head = Head(row.seq, row.seal, row.mac) if row is not None else None
        return head if head is not None and is_head_of(self._key, head) else None

    async def _add(self, connection: AsyncConnection, head: Head, event: Event) -> Entry:
        entry = _sealed(self._key, head, event)
        mac = mac_of(self._key, entry.seq, entry.seal)
        values = {column.name: getattr(entry, column.name) for column in AUDIT.columns}
        await connection.execute(insert(AUDIT).values(values))
        await connection.execute(update(AUDIT_HEAD).values(seq=entry.seq, seal=entry.seal, mac=mac))
        return entry


def _sealed(key: bytes, head: Head, event: Event) -> Entry:
    entry = Entry(
        seq=head.seq + 1,
        time=time.time(),
        principal=plain(event.by.principal),
        source=plain(event.by.source),
        action=plain(event.action),
        target=plain(event.target),
        outcome=plain(event.outcome),
        detail=orjson.dumps(event.detail, option=orjson.OPT_SORT_KEYS).decode(),
        seal=b"",
    )
    return replace(entry, seal=seal_of(key, head.seal, entry))


def _tell(entry: Entry) -> None:
    _log.info(
        "audit",
        seq=entry.seq,
        seal=entry.seal.hex(),
        principal=entry.principal,
        origin=entry.source,  # a log withholds what is called source: programs are
        action=entry.action,
        target=entry.target,
        outcome=entry.outcome,
    )
