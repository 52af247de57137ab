"""The keys. Every change takes the next revision and is in the audit log, in one transaction.

Revisions are committed in their order, because a change waits for the one before it: who has read up to N and
asks for what is above N misses nothing. No key is ever deleted: one that is revoked stays listed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from sqlalchemy import Select, exists, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.access.key_text import NewKey, make_key, read_id
from service.access.principal import Actor, Key, KeySpec
from service.access.scopes import in_order
from service.control.audit import AuditLog
from service.control.database import Database
from service.control.key_rows import key_of, row_of
from service.control.key_rules import check_overlap, check_spec, state_of
from service.control.revision import next_revision
from service.control.seals import Event
from service.control.tables import KEYS, REVISION
from service.errors import Conflict, NotFound

MAX_LIST: Final = 1000


@dataclass(frozen=True, slots=True)
class Changes:
    """``keys`` as they are at ``revision``, in the order in which they changed. When ``revision`` is below
    the one that was asked about, the database is another, such as a restored one: ``keys`` are
    then all there are."""

    keys: tuple[Key, ...]
    revision: int


class KeyStore:
    """Every method raises ControlUnavailable."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    async def add(self, spec: KeySpec, by: Actor) -> tuple[Key, NewKey]:
        """Make a key. Its text is not kept: ``NewKey`` is the only one who has it. ValidationFailed."""
        check_spec(spec, time.time())
        new = make_key(spec.env)
        detail = {
            "name": spec.name,
            "env": spec.env,
            "scopes": in_order(spec.scopes),
            "rates": spec.rates.texts(),
            "policy": spec.policy,
            "expires": spec.expires,
        }
        work = partial(_add, spec=spec, new=new)
        return await self._audit.recorded(Event(by, "key.add", new.id, detail), work), new

    async def rotate(self, key_id: str, overlap: float, by: Actor) -> tuple[Key, NewKey]:
        """Give a key a new secret. The old one is taken for ``overlap`` more seconds; one that was still
        taken from an earlier rotation is not. NotFound; Conflict when the key is revoked or expired;
        ValidationFailed."""
        check_overlap(overlap)
        work = partial(_rotate, key_id=_form(key_id), overlap=overlap)
        return await self._audit.recorded(Event(by, "key.rotate", key_id, {"overlap": overlap}), work)

    async def revoke(self, key_id: str, by: Actor) -> Key:
        """End a key for good. One that is revoked stays as it is. NotFound."""
        work = partial(_revoke, key_id=_form(key_id))
        return await self._audit.recorded(Event(by, "key.revoke", key_id), work)

    async def get(self, key_id: str) -> Key:
        """NotFound."""
        async with self._database.reading() as connection:
            return await _get(connection, _form(key_id))

    async def list(self, after: str | None = None, limit: int = 100) -> tuple[Key, ...]:
        """Keys in the order in which they were made, at most MAX_LIST; ``after``: the last id of the page
        before. Nothing after an id that is none."""
        query = select(KEYS).order_by(KEYS.c.created, KEYS.c.id).limit(min(limit, MAX_LIST))
        if after is not None:
            last = select(KEYS.c.created, KEYS.c.id).where(KEYS.c.id == after).scalar_subquery()
            query = query.where(tuple_(KEYS.c.created, KEYS.c.id) > last)
        return await self._keys(query)

    async def changes_since(self, revision: int) -> Changes:
        """What has changed after ``revision``; all keys for 0."""
        async with self._database.reading() as connection:
            number: int = (await connection.execute(select(REVISION.c.number))).scalar_one()
            if number == revision:
                return Changes((), number)
            query = select(KEYS).where(KEYS.c.revision > (revision if revision < number else 0))
            rows = (await connection.execute(query.order_by(KEYS.c.revision))).mappings().all()
        keys = tuple(key_of(row) for row in rows)
        last = keys[-1].revision if keys else number
        return Changes(keys, max(number, last))  # a change may have come between

    async def any_key(self) -> bool:
        """Whether a key was ever made. A revoked one counts: its end opens nothing."""
        async with self._database.reading() as connection:
            return bool(await connection.scalar(select(exists(select(KEYS.c.id)))))

    async def _keys(self, query: Select[Any]) -> tuple[Key, ...]:
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(key_of(row) for row in rows)


def _form(key_id: str) -> str:
    """The id. What has not the form of one may be a whole key: it must reach no log and no answer."""
    if read_id(key_id) != key_id:
        raise NotFound("no key has this id: an id is 10 letters and digits")
    return key_id


async def _get(connection: AsyncConnection, key_id: str) -> Key:
    row = (await connection.execute(select(KEYS).where(KEYS.c.id == key_id))).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no key has the id {key_id}; `lars keys list` has those there are")
    return key_of(row)


async def _add(connection: AsyncConnection, spec: KeySpec, new: NewKey) -> Key:
    key = Key(new.id, spec, new.digest, time.time(), await next_revision(connection))
    await connection.execute(insert(KEYS).values(row_of(key)))
    return key


async def _rotate(connection: AsyncConnection, key_id: str, overlap: float) -> tuple[Key, NewKey]:
    now = time.time()
    key = await _get(connection, key_id)
    state = state_of(key, now)
    if state in {"revoked", "expired"}:
        raise Conflict(f"the key {key_id} is {state} and stays so; make another in its place")
    new = make_key(key.spec.env, key_id)
    changed = replace(
        key,
        digest=new.digest,
        revision=await next_revision(connection),
        rotated=now,
        previous=key.digest if overlap else None,
        previous_until=now + overlap if overlap else None,
    )
    await _put(connection, changed)
    return changed, new


async def _revoke(connection: AsyncConnection, key_id: str) -> Key:
    key = await _get(connection, key_id)
    if key.revoked is not None:
        return key
    revoked = replace(key, revision=await next_revision(connection), revoked=time.time())
    await _put(connection, revoked)
    return revoked


async def _put(connection: AsyncConnection, key: Key) -> None:
    await connection.execute(update(KEYS).where(KEYS.c.id == key.id).values(row_of(key)))
