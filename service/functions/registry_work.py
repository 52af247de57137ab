"""What each change of a function does, inside its transaction, where nobody else changes anything.

Everything that can be refused is refused before the first write.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from service.access.principal import Actor
from service.control.revision import next_revision
from service.control.seals import plain
from service.errors import Conflict, NotFound, PreconditionFailed
from service.functions.function_rows import (
    at_path,
    find,
    find_version,
    last_version,
    put_function,
    put_source,
    put_version,
)
from service.functions.sources import Source
from service.functions.values import Canary, Function, FunctionSpec, Recording, Split, Version

ANY: Final = "*"
Guard = Callable[[AsyncConnection], Awaitable[None]]
Which = Literal["any", "improvement"]  # functions that a change may be of; the others are not found


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is to be loaded, and who wants it. ``signature``: JSON."""

    spec: FunctionSpec
    source: Source
    signature: str
    by: Actor


@dataclass(frozen=True, slots=True)
class Share:
    """What a canary is to get: ``weight`` percent of the calls. ``if_match``: the digest that the current
    version must have, or ``*``. ``alone``: it must not take another canary's place. ``guard``: raises in the
    transaction where it must not be done any more."""

    weight: int
    if_match: str | None = None
    alone: bool = False
    guard: Guard | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """``function`` as it is now; ``version``: the one that has the source that was brought; ``created``:
    whether that was made now."""

    function: Function
    version: int
    created: bool


async def load(connection: AsyncConnection, candidate: Candidate, if_match: str | None) -> Loaded:
    """Its source becomes the current version: the one that has it already, or the next."""
    spec, source = candidate.spec, candidate.source
    found = await find(connection, spec.hash, spec.name)
    _match(found, if_match)
    await _path_is_free(connection, spec)
    is_same = found is not None and found.digest == source.digest
    if found is not None and is_same and found.loaded and found.spec == spec:
        return Loaded(found, found.version, created=False)
    who, now = plain(candidate.by.principal), time.time()
    number = (
        found.version if found is not None and is_same else await _add_version(connection, candidate, now)
    )
    function = Function(
        spec=spec,
        version=number,
        digest=source.digest,
        signature=found.signature if found is not None and is_same else candidate.signature,
        canary=found.canary if found is not None and is_same else None,
        loaded=True,
        created=found.created if found is not None else now,
        updated=now,
        revision=await next_revision(connection),
        owner=found.owner if found is not None and found.loaded else who,
        recording=found.recording if found is not None else None,
    )
    await put_function(connection, function, is_new=found is None)
    return Loaded(function, number, created=not is_same)


async def stage(connection: AsyncConnection, candidate: Candidate, share: Share) -> Loaded:
    """Its source becomes the canary: the one that has it already, or the next version."""
    spec, digest, weight = candidate.spec, candidate.source.digest, share.weight
    if share.guard is not None:
        await share.guard(connection)
    found = await _loaded(connection, spec.hash, spec.name)
    _match(found, share.if_match)
    if (spec.path, spec.method) != (found.spec.path, found.spec.method):
        raise Conflict(
            f"{spec.name} is served at {found.spec.method} {found.spec.path}, and so is its canary; "
            "load it to change that"
        )
    if digest == found.digest:
        raise Conflict(f"version {found.version} is current and has this very source; bring another")
    if found.canary is not None and found.canary.digest == digest:
        canary = replace(found.canary, weight=weight)
        return Loaded(await _with_canary(connection, found, canary), canary.version, created=False)
    if found.canary is not None and share.alone:
        raise Conflict(f"version {found.canary.version} is the canary of {spec.name}; end that first")
    canary = Canary(
        await _add_version(connection, candidate, time.time()), weight, digest, candidate.signature
    )
    return Loaded(await _with_canary(connection, found, canary), canary.version, created=True)


async def unload(connection: AsyncConnection, contract: str, name: str, which: Which) -> Function:
    """It is not served any more, and no call of it is kept."""
    found = _checked(await _loaded(connection, contract, name), which)
    return await _changed(connection, replace(found, loaded=False, canary=None, recording=None))


async def rollback(
    connection: AsyncConnection, contract: str, name: str, to: int | None, which: Which
) -> Function:
    """Another version becomes the current one; the canary, if there is one, ends."""
    found = _checked(await _loaded(connection, contract, name), which)
    if to is None and found.version == 1:
        raise Conflict(f"{name} is at version 1, and there is none before; load another, or unload it")
    version = await _version(connection, found, found.version - 1 if to is None else to)
    if version.number == found.version and found.canary is None:
        return found
    there = replace(
        found, version=version.number, digest=version.digest, signature=version.signature, canary=None
    )
    return await _changed(connection, there)


async def set_canary(connection: AsyncConnection, contract: str, name: str, split: Split | None) -> Function:
    """A share of the calls goes to another version, or none any more."""
    found = await _loaded(connection, contract, name)
    if split is None:
        return found if found.canary is None else await _with_canary(connection, found, None)
    if split.version == found.version:
        raise Conflict(f"version {split.version} is the current one; name another as canary")
    version = await _version(connection, found, split.version)
    canary = Canary(version.number, split.weight, version.digest, version.signature)
    return found if canary == found.canary else await _with_canary(connection, found, canary)


async def settle(
    connection: AsyncConnection, contract: str, name: str, version: int, *, promote: bool
) -> Function:
    """The canary ``version`` gets all calls, or none any more."""
    found = await _loaded(connection, contract, name)
    canary = found.canary
    if canary is None or canary.version != version:
        raise Conflict(f"version {version} is not the canary of {name} any more; look at it again")
    if not promote:
        return await _with_canary(connection, found, None)
    there = replace(found, version=version, digest=canary.digest, signature=canary.signature, canary=None)
    return await _changed(connection, there)


async def set_recording(
    connection: AsyncConnection, contract: str, name: str, recording: Recording | None
) -> Function:
    """Calls are kept, or none any more: that holds of a function that was unloaded as well."""
    found = await find(connection, contract, name)
    if recording is None and found is not None and not found.loaded:
        return found
    found = served(found, contract, name)
    if recording == found.recording:
        return found
    return await _changed(connection, replace(found, recording=recording))


async def _loaded(connection: AsyncConnection, contract: str, name: str) -> Function:
    return served(await find(connection, contract, name), contract, name)


def served(found: Function | None, contract: str, name: str) -> Function:
    """The one that was found. NotFound when it is not loaded."""
    if found is None:
        raise NotFound(f"{contract} has no function {name}; load it first")
    if not found.loaded:
        raise NotFound(f"{name} of {contract} was unloaded; load it again")
    return found


def _checked(found: Function, which: Which) -> Function:
    if which == "improvement" and found.spec.improvement is None:
        raise NotFound(
            f"{found.spec.name} of {found.spec.hash} is a function and no improvement; "
            "change it as a function, or load it as an improvement first"
        )
    return found


def _match(found: Function | None, if_match: str | None) -> None:
    if if_match is None:
        return
    if found is None or not found.loaded:
        raise PreconditionFailed("If-Match names a version, and no such function is loaded; send it without")
    if if_match not in {ANY, found.digest}:
        raise PreconditionFailed(
            f"the function is at version {found.version} with the digest {found.digest}, which is not what "
            "If-Match names; look at it again"
        )


async def _path_is_free(connection: AsyncConnection, spec: FunctionSpec) -> None:
    other = await at_path(connection, spec.path)
    if other is not None and other != (spec.hash, spec.name):
        raise Conflict(
            f"the endpoint_path {spec.path} is that of the function {other[1]} of {other[0]}; "
            "choose another, or unload that one"
        )


async def _version(connection: AsyncConnection, function: Function, number: int) -> Version:
    spec = function.spec
    version = await find_version(connection, spec.hash, spec.name, number)
    if version is None:
        last = await last_version(connection, spec.hash, spec.name)
        raise NotFound(f"{spec.name} has no version {number}; it has 1 to {last}")
    return version


async def _add_version(connection: AsyncConnection, candidate: Candidate, now: float) -> int:
    spec = candidate.spec
    number = await last_version(connection, spec.hash, spec.name) + 1
    who = plain(candidate.by.principal)
    await put_source(connection, candidate.source)
    version = Version(number, candidate.source.digest, candidate.signature, now, who)
    await put_version(connection, spec, version)
    return number


async def _with_canary(connection: AsyncConnection, function: Function, canary: Canary | None) -> Function:
    return await _changed(connection, replace(function, canary=canary))


async def _changed(connection: AsyncConnection, function: Function) -> Function:
    changed = replace(function, updated=time.time(), revision=await next_revision(connection))
    await put_function(connection, changed, is_new=False)
    return changed
