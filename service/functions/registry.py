"""The functions that are served. Every change takes the next revision and is in the audit log, in one
transaction, as a key's does: who has read up to N and asks for what is above N misses nothing.

Versions are never changed or removed; a function points to the one that calls get. A text is kept once,
however many versions have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import select, tuple_

from service.access.principal import Actor
from service.control.audit import AuditLog
from service.control.database import Database
from service.control.seals import Event
from service.control.tables import FUNCTION_VERSIONS, FUNCTIONS, REVISION, SOURCES
from service.errors import ControlUnavailable, FieldError, NotFound, ValidationFailed
from service.functions import registry_work as work
from service.functions.function_rows import LOADED, find, function_of, functions, version_of
from service.functions.names import is_function, read_hash, read_spec
from service.functions.registry_work import Candidate, Loaded, Share, Which
from service.functions.sources import Source, digest_of
from service.functions.values import Function, FunctionSpec, Recording, Split, Version

MAX_LIST: Final = 1000
_MAX_WEIGHT: Final = 99
MAX_PERCENT: Final = 100
MAX_CALLS: Final = 1000


@dataclass(frozen=True, slots=True)
class FunctionChanges:
    """``functions`` as they are at ``revision``, in the order in which they changed; one that is not loaded
    is gone. When all were asked for, or when ``revision`` is below the one that was asked about (the database
    is another, such as a restored one), they are all that are loaded."""

    functions: tuple[Function, ...]
    revision: int


class Registry:
    """``contract``: a visible_pixel_hash. Every method raises ControlUnavailable, and, for a function that is
    not loaded, NotFound."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    async def load(
        self, spec: FunctionSpec, source: Source, signature: str, by: Actor, if_match: str | None = None
    ) -> Loaded:
        """Serve a function from this source, whose ``signature`` is JSON. What is served so already stays as
        it is. ``if_match``: the digest that its current version must have, or ``*``; PreconditionFailed.
        Conflict when another function has the path; ValidationFailed."""
        spec = read_spec(spec)
        event = Event(by, "function.load", _target(spec.hash, spec.name), _detail(spec, source))
        candidate = Candidate(spec, source, signature, by)
        return await self._audit.recorded(
            event, partial(work.load, candidate=candidate, if_match=if_match), _told_loaded
        )

    async def stage(
        self, spec: FunctionSpec, source: Source, signature: str, by: Actor, share: Share
    ) -> Loaded:
        """Let this source have a share of the calls of a function that is served: its canary. Conflict when
        it would change path or method, or is the current one; PreconditionFailed; ValidationFailed."""
        spec = read_spec(spec)
        _check_weight(share.weight)
        detail = {**_detail(spec, source), "weight": share.weight}
        event = Event(by, "function.canary", _target(spec.hash, spec.name), detail)
        candidate = Candidate(spec, source, signature, by)
        return await self._audit.recorded(
            event, partial(work.stage, candidate=candidate, share=share), _told_loaded
        )

    async def unload(self, contract: str, name: str, by: Actor, which: Which = "any") -> Function:
        """Serve it no more. Its versions stay, and are counted on when it is loaded again."""
        contract, name = _form(contract, name)
        event = Event(by, "function.unload", _target(contract, name))
        doing = partial(work.unload, contract=contract, name=name, which=which)
        return await self._audit.recorded(event, doing, _told_function)

    async def rollback(
        self, contract: str, name: str, by: Actor, to: int | None = None, which: Which = "any"
    ) -> Function:
        """Make the version ``to`` the current one, the one before when it is None, and end the canary.
        NotFound when there is no such version, Conflict when there is none before."""
        contract, name = _form(contract, name)
        to = None if to is None else _within(to)
        event = Event(by, "function.rollback", _target(contract, name), {"to": to})
        doing = partial(work.rollback, contract=contract, name=name, to=to, which=which)
        return await self._audit.recorded(event, doing, _told_function)

    async def set_canary(self, contract: str, name: str, split: Split | None, by: Actor) -> Function:
        """Give a version its share of the calls; None: the current one gets all. NotFound when there is no
        such version, Conflict when it is the current one; ValidationFailed."""
        contract, name = _form(contract, name)
        if split is not None:
            _check_weight(split.weight)
            split = Split(_within(split.version), split.weight)
        detail = {"canary": None} if split is None else {"canary": split.version, "weight": split.weight}
        event = Event(by, "function.canary", _target(contract, name), detail)
        doing = partial(work.set_canary, contract=contract, name=name, split=split)
        return await self._audit.recorded(event, doing, _told_function)

    async def settle(self, contract: str, name: str, by: Actor, version: int, *, promote: bool) -> Function:
        """End the canary ``version``: it becomes the current one, or gets no more calls. Conflict when it is
        not the canary any more."""
        contract, name = _form(contract, name)
        detail = {"canary": version, "promoted": promote}
        event = Event(by, "function.canary", _target(contract, name), detail)
        doing = partial(work.settle, contract=contract, name=name, version=version, promote=promote)
        return await self._audit.recorded(event, doing, _told_function)

    async def set_recording(
        self, contract: str, name: str, recording: Recording | None, by: Actor
    ) -> Function:
        """Which of its calls are kept; None: none, which a function that was unloaded may be told, too.
        ValidationFailed."""
        contract, name = _form(contract, name)
        detail: dict[str, object] = {"recording": None}
        if recording is not None:
            check_recording(recording)
            detail = {"sample_percent": recording.percent, "max_calls": recording.calls}
        event = Event(by, "function.record", _target(contract, name), detail)
        doing = partial(work.set_recording, contract=contract, name=name, recording=recording)
        return await self._audit.recorded(event, doing, _told_function)

    async def get(self, contract: str, name: str) -> Function:
        """One that is loaded."""
        contract, name = _form(contract, name)
        async with self._database.reading() as connection:
            return work.served(await find(connection, contract, name), contract, name)

    async def list(self, after: tuple[str, str] | None = None, limit: int = 100) -> tuple[Function, ...]:
        """Those that are loaded, by hash and name, at most MAX_LIST; ``after``: hash and name of the last of
        the page before."""
        query = functions().where(LOADED).order_by(FUNCTIONS.c.hash, FUNCTIONS.c.name)
        if after is not None:
            query = query.where(tuple_(FUNCTIONS.c.hash, FUNCTIONS.c.name) > after)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.limit(min(limit, MAX_LIST)))).mappings().all()
        return tuple(function_of(row) for row in rows)

    async def versions(
        self, contract: str, name: str, below: int | None = None, limit: int = 100
    ) -> tuple[Version, ...]:
        """Of a function, loaded or not, the newest first, at most MAX_LIST; ``below``: the last number of the
        page before. NotFound when there never was such a function."""
        contract, name = _form(contract, name)
        table = FUNCTION_VERSIONS
        query = select(table).where(table.c.hash == contract, table.c.name == name)
        if below is not None:
            query = query.where(table.c.version < max(0, min(below, 1 << 30)))
        query = query.order_by(table.c.version.desc()).limit(min(limit, MAX_LIST))
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        if not rows and below is None:
            raise NotFound(f"{contract} never had a function {name}; load it first")
        return tuple(version_of(row) for row in rows)

    async def source(self, digest: str) -> Source:
        """The text of a version, which has this digest. NotFound."""
        query = select(SOURCES.c.text).where(SOURCES.c.digest == digest)
        async with self._database.reading() as connection:
            text: str | None = await connection.scalar(query) if digest.isalnum() else None
        if text is None:
            raise NotFound("no version has a source of this digest; versions name theirs")
        if digest_of(text.encode()) != digest:
            raise ControlUnavailable(f"the source {digest} is not what its digest says: it was changed")
        return Source(digest, text)

    async def changes_since(self, revision: int) -> FunctionChanges:
        """What has changed after ``revision``; all that are loaded for 0."""
        async with self._database.reading() as connection:
            number: int = (await connection.execute(select(REVISION.c.number))).scalar_one()
            if number == revision:
                return FunctionChanges((), number)
            known = 0 < revision < number
            query = functions().where(FUNCTIONS.c.revision > revision if known else LOADED)
            rows = (await connection.execute(query.order_by(FUNCTIONS.c.revision))).mappings().all()
        found = tuple(function_of(row) for row in rows)
        last = found[-1].revision if found else number
        return FunctionChanges(found, max(number, last))  # a change may have come between


def _form(contract: str, name: str) -> tuple[str, str]:
    """Hash and name as they are kept. What has not their form reaches no log."""
    found = read_hash(contract)
    if found is None or not is_function(name):
        raise NotFound("no function is named so: a hash is 40 to 64 hexadecimal digits, a name an identifier")
    return found, name


def _within(number: int) -> int:
    """A number that the column of versions can hold; for others 0, which no version has."""
    return number if 0 < number < 1 << 31 else 0


def _check_weight(weight: int) -> None:
    if not 1 <= weight <= _MAX_WEIGHT:
        remedy = f"send 1 to {_MAX_WEIGHT} percent; roll back to a version to give it all calls"
        raise ValidationFailed([FieldError("weight", "is out of range", remedy, weight, _MAX_WEIGHT)])


def check_recording(recording: Recording) -> None:
    """ValidationFailed with what is out of its range."""
    bounds = (("sample_percent", recording.percent, MAX_PERCENT), ("max_calls", recording.calls, MAX_CALLS))
    errors = [
        FieldError(name, "is out of range", f"send 1 to {most}", value, most)
        for name, value, most in bounds
        if not 1 <= value <= most
    ]
    if errors:
        raise ValidationFailed(errors)


def _target(contract: str, name: str) -> str:
    return f"{contract}/{name}"


def _detail(spec: FunctionSpec, source: Source) -> dict[str, object]:
    return {**about_spec(spec), "digest": source.digest}


def about_spec(spec: FunctionSpec) -> dict[str, object]:
    """What the audit log has of it beside hash and name."""
    about: dict[str, object] = {"module": spec.module, "path": spec.path, "method": spec.method}
    return about if spec.improvement is None else {**about, "improvement": spec.improvement}


def _told_loaded(loaded: Loaded) -> dict[str, object]:
    return {"version": loaded.version, "created": loaded.created}


def _told_function(function: Function) -> dict[str, object]:
    return {"version": function.version, "digest": function.digest}
