"""Functions, versions and sources as rows of their tables, and back."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import RowMapping, Select, and_, exists, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.control.tables import FUNCTION_VERSIONS, FUNCTIONS, SOURCES
from service.functions.sources import Source
from service.functions.values import Canary, Function, FunctionSpec, Recording, Version

Row = dict[str, Any]
_OF_SPEC: Final = ("hash", "name", "module", "path", "method", "improvement")
_OF_FUNCTION: Final = ("version", "loaded", "created", "updated", "revision", "owner")
_current = FUNCTION_VERSIONS.alias("current")
_canary = FUNCTION_VERSIONS.alias("canary_version")
LOADED: Final = FUNCTIONS.c.loaded == true()


def functions() -> Select[Any]:
    """Each function with what its current version and its canary are; ``function_of`` reads the rows."""
    table = FUNCTIONS.join(_current, _of(_current, "version")).outerjoin(_canary, _of(_canary, "canary"))
    return select(
        FUNCTIONS,
        _current.c.digest,
        _current.c.signature,
        _canary.c.digest.label("canary_digest"),
        _canary.c.signature.label("canary_signature"),
    ).select_from(table)


def function_of(row: RowMapping) -> Function:
    """A row of ``functions``."""
    canary = None
    if row["canary"] is not None:
        canary = Canary(row["canary"], row["canary_weight"], row["canary_digest"], row["canary_signature"])
    recording = None
    if row["record_percent"] is not None:
        recording = Recording(row["record_percent"], row["record_calls"])
    return Function(
        spec=FunctionSpec(*(row[name] for name in _OF_SPEC)),
        digest=row["digest"],
        signature=row["signature"],
        canary=canary,
        recording=recording,
        **{name: row[name] for name in _OF_FUNCTION},
    )


def row_of(function: Function) -> Row:
    """Values by column."""
    canary, recording = function.canary, function.recording
    return {
        **{name: getattr(function.spec, name) for name in _OF_SPEC},
        **{name: getattr(function, name) for name in _OF_FUNCTION},
        "canary": canary.version if canary else None,
        "canary_weight": canary.weight if canary else None,
        "record_percent": recording.percent if recording else None,
        "record_calls": recording.calls if recording else None,
    }


def version_of(row: RowMapping) -> Version:
    """A row of the versions."""
    names = ("version", "digest", "signature", "created", "created_by")
    return Version(*(row[name] for name in names))


async def find(connection: AsyncConnection, contract: str, name: str) -> Function | None:
    """The function, loaded or not."""
    query = functions().where(FUNCTIONS.c.hash == contract, FUNCTIONS.c.name == name)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else function_of(row)


async def find_version(connection: AsyncConnection, contract: str, name: str, number: int) -> Version | None:
    """One version of a function."""
    table = FUNCTION_VERSIONS
    query = select(table).where(table.c.hash == contract, table.c.name == name, table.c.version == number)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else version_of(row)


async def last_version(connection: AsyncConnection, contract: str, name: str) -> int:
    """The highest number; 0 where there is none."""
    table = FUNCTION_VERSIONS
    query = select(func.max(table.c.version)).where(table.c.hash == contract, table.c.name == name)
    return await connection.scalar(query) or 0


async def at_path(connection: AsyncConnection, path: str) -> tuple[str, str] | None:
    """Hash and name of the function that is served there."""
    query = select(FUNCTIONS.c.hash, FUNCTIONS.c.name).where(FUNCTIONS.c.path == path, LOADED)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.hash, row.name)


async def put_source(connection: AsyncConnection, source: Source) -> None:
    """Keep a text that may be there already."""
    if not await connection.scalar(select(exists().where(SOURCES.c.digest == source.digest))):
        values = {"digest": source.digest, "text": source.text, "size": len(source.text.encode())}
        await connection.execute(insert(SOURCES).values(values))


async def put_version(connection: AsyncConnection, spec: FunctionSpec, version: Version) -> None:
    """Add one, whose source is there."""
    row = {
        "hash": spec.hash,
        "name": spec.name,
        "version": version.number,
        "digest": version.digest,
        "signature": version.signature,
        "created": version.created,
        "created_by": version.created_by,
    }
    await connection.execute(insert(FUNCTION_VERSIONS).values(row))


async def put_function(connection: AsyncConnection, function: Function, *, is_new: bool) -> None:
    """Add one, or change the one that is there. Its versions are there."""
    if is_new:
        await connection.execute(insert(FUNCTIONS).values(row_of(function)))
        return
    is_it = and_(FUNCTIONS.c.hash == function.spec.hash, FUNCTIONS.c.name == function.spec.name)
    await connection.execute(update(FUNCTIONS).where(is_it).values(row_of(function)))


def _of(versions: Any, number: str) -> Any:
    return and_(
        versions.c.hash == FUNCTIONS.c.hash,
        versions.c.name == FUNCTIONS.c.name,
        versions.c.version == FUNCTIONS.c[number],
    )
