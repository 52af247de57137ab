"""Whether the audit log is what was written: every entry, in its place, with nothing missing.

What this cannot show is a database that was put back as a whole to an earlier state; a head that was noted
since, from a log or a former check, does: ``noted``.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.control.audit import PAGE
from service.control.database import Database
from service.control.seals import ORIGIN, Entry, Head, is_head_of, seal_of
from service.control.tables import AUDIT, AUDIT_HEAD, REVISION

_OTHER_KEY: Final = (
    "it was sealed with another key than this LARS_AUDIT_KEY (or audit.key), or all was made anew"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``count`` entries are sound, the last of which has ``seal``. ``fault``: what is wrong with the next, a
    sentence; None when all is well. ``noted``: whether the seal that was asked for is one of them."""

    count: int
    seal: bytes
    fault: str | None
    noted: bool


async def check(database: Database, key: bytes, noted: bytes | None = None) -> Verdict:
    """All entries, as they are at one moment. ControlUnavailable."""
    async with database.snapshot() as connection:
        row = (await connection.execute(select(AUDIT_HEAD))).mappings().one_or_none()
        head = None if row is None else Head(row["seq"], row["seal"], row["mac"])
        verdict = await _walk(connection, key, head, noted)
        if verdict.fault is None and head is not None:
            changes = await connection.scalar(select(REVISION.c.number))
            fault = _at_the_end(key, head, verdict, changes or 0)
            return Verdict(verdict.count, verdict.seal, fault, verdict.noted)
    return verdict


async def _walk(connection: AsyncConnection, key: bytes, head: Head | None, noted: bytes | None) -> Verdict:
    count, before, found = 0, ORIGIN, noted is None
    if head is None:
        return Verdict(0, before, "the head of the audit log is missing", noted=found)
    async for entry in _entries(connection):
        fault = _fault(key, head, before, entry, count + 1)
        if fault is not None:
            return Verdict(count, before, fault, noted=found)
        count, before = count + 1, entry.seal
        found = found or entry.seal == noted
    return Verdict(count, before, None, noted=found)


async def _entries(connection: AsyncConnection) -> AsyncIterator[Entry]:
    # By pages: a log may be larger than memory.
    last: int | None = None
    while True:
        query = select(AUDIT).order_by(AUDIT.c.seq).limit(PAGE)
        rows = (await connection.execute(query if last is None else query.where(AUDIT.c.seq > last))).all()
        for row in rows:
            yield Entry(*row)
        if len(rows) < PAGE:
            return
        last = rows[-1].seq


def _fault(key: bytes, head: Head, before: bytes, entry: Entry, expected: int) -> str | None:
    """What is wrong with the entry that follows a sound one. None: nothing."""
    if entry.seq != expected:
        return f"entry {expected} is missing: it was removed, and the next there is {entry.seq}"
    if hmac.compare_digest(entry.seal, seal_of(key, before, entry)):
        return None
    if expected == 1 and not is_head_of(key, head):
        return f"entry 1 does not bear its seal: {_OTHER_KEY}"
    return f"entry {expected} does not bear its seal: it was changed, moved or put in"


def _at_the_end(key: bytes, head: Head, verdict: Verdict, changes: int) -> str | None:
    """What is wrong after the last entry, all of which are sound."""
    count = verdict.count
    if not is_head_of(key, head):
        return f"the head, which is after entry {count}, was changed: it does not bear its seal"
    if head.seq > count:
        return f"entry {count + 1} is missing: the head is entry {head.seq}, so the tail was cut"
    if head.seq < count:
        return f"entry {head.seq + 1} is beyond the head, which is entry {head.seq}: the head was put back"
    if head.seal != verdict.seal:
        return f"the head was changed: it is not the seal of entry {count}"
    if changes and not count:
        return (
            f"entry 1 is missing: keys or functions were changed {changes} times, and none of it is recorded"
        )
    return None
