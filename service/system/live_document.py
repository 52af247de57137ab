"""The OpenAPI document as a front sends it: the service's part, and each function's as it is now.

A function is described once and kept as JSON text; a change makes one description and joins them all anew.
That is done in slices of the loop's time, once for all who ask meanwhile, and only when somebody asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Protocol

import orjson

from service.functions.openapi import Described, describe, describe_briefly
from service.functions.values import Function

Json = dict[str, Any]
MAX_BYTES: Final = 32 << 20  # of all functions
_SLICE_SECONDS: Final = 0.002
_CHUNK: Final = 256 << 10  # bytes
_Key = tuple[str, str, str, str, str]


class Functions(Protocol):
    """What there is. ``revision`` is another one after each change; ``all``: by hash and name."""

    @property
    def revision(self) -> int: ...

    def all(self) -> Sequence[Function]: ...


@dataclass(frozen=True, slots=True)
class Frame:
    """The part that is not of functions. ``key``: equal for equal parts; ``security``: what a call needs,
    None: nothing; ``make``: the document without functions."""

    key: object
    security: list[Json] | None
    make: Callable[[], Json]


@dataclass(frozen=True, slots=True)
class Rendered:
    """``tag``: a strong entity tag, with its quotes; ``size`` in bytes."""

    chunks: tuple[bytes, ...]
    size: int
    tag: str


class LiveDocument:
    """One front's."""

    def __init__(self) -> None:
        self._kept: dict[_Key, Described] = {}
        self._security: list[Json] | None = None
        self._rendered: tuple[object, Rendered] | None = None
        self._rendering = asyncio.Lock()

    async def rendered(self, functions: Functions, frame: Frame) -> Rendered:
        """The document as it is when this is called, or later."""
        found = self._current(functions, frame)
        if found is not None:
            return found
        async with self._rendering:
            found = self._current(functions, frame)  # who had the lock before may have made it
            if found is None:
                state = functions.revision, frame.key
                found = await self._render(functions.all(), frame)
                self._rendered = state, found
            return found

    def _current(self, functions: Functions, frame: Frame) -> Rendered | None:
        if self._rendered is None or self._rendered[0] != (functions.revision, frame.key):
            return None
        return self._rendered[1]

    async def _render(self, functions: Sequence[Function], frame: Frame) -> Rendered:
        document = frame.make()
        paths = document["paths"]
        # What a later version of the service serves itself is not a function's any more.
        own = [function for function in functions if function.spec.path not in paths]
        shown = await self._fitting(own, await self._describe(own, frame.security), frame.security)
        document["x-left-out"] = {"functions": len(functions) - len(shown)}
        before, between, after = _parts(document)
        text = _Text()
        text.add(before, before)
        for described in shown:
            await text.turn()
            text.add(described.schemas, described.digest)
        text.add(between, between)
        for described in shown:
            await text.turn()
            text.add(described.path)
        text.add(after)
        return text.rendered()

    async def _describe(self, functions: Sequence[Function], security: list[Json] | None) -> list[Described]:
        """In their order. What is kept is kept of these only."""
        before = self._kept if security == self._security else {}
        kept: dict[_Key, Described] = {}
        slices = _Slices()
        for function in functions:
            await slices.turn()
            spec = function.spec
            key = spec.hash, spec.name, function.digest, spec.path, spec.method
            kept[key] = before.get(key) or describe(function, security)
        self._kept, self._security = kept, security
        return list(kept.values())

    async def _fitting(
        self, functions: Sequence[Function], described: list[Described], security: list[Json] | None
    ) -> list[Described]:
        """As many as there is room for. Where all do not fit, those that are larger than an equal share are
        told in brief, so that nobody's long descriptions keep out another's functions."""
        if sum(each.size for each in described) <= MAX_BYTES:
            return described
        share, room = MAX_BYTES // len(described), MAX_BYTES
        shown: list[Described] = []
        slices = _Slices()
        for function, found in zip(functions, described, strict=True):
            await slices.turn()
            each = found if found.size <= share else describe_briefly(function, security)
            if each.size <= room:
                room -= each.size
                shown.append(each)
        return shown


def _parts(document: Json) -> tuple[bytes, bytes, bytes]:
    """Its text without the functions: before their schemas, between those and their paths, and after."""
    outer = {name: value for name, value in document.items() if name not in ("components", "paths")}
    others = {name: value for name, value in document["components"].items() if name != "schemas"}
    schemas = orjson.dumps(document["components"]["schemas"])
    before = b'%b,"components":%b,"schemas":%b' % (
        orjson.dumps(outer)[:-1],
        orjson.dumps(others)[:-1],
        schemas,
    )
    return before[:-1], b'}},"paths":' + orjson.dumps(document["paths"])[:-1], b"}}"


class _Slices:
    """Lets others run after each slice of time."""

    def __init__(self) -> None:
        self._until = time.monotonic() + _SLICE_SECONDS

    async def turn(self) -> None:
        """Before each step."""
        if time.monotonic() > self._until:
            await asyncio.sleep(0)
            self._until = time.monotonic() + _SLICE_SECONDS


class _Text(_Slices):
    """The text, in chunks of which none takes long to copy. The tag is made of what stands for its parts:
    each front makes the same of the same."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: list[bytes] = []
        self._parts: list[bytes] = []
        self._length = 0
        self._hash = blake2b(digest_size=16)

    def add(self, part: bytes, sign: bytes = b"") -> None:
        """``sign``: what changes when the part does."""
        self._hash.update(sign)
        self._parts.append(part)
        self._length += len(part)
        if self._length > _CHUNK:
            self._flush()

    def rendered(self) -> Rendered:
        """All of it."""
        self._flush()
        size = sum(map(len, self._chunks))
        return Rendered(tuple(self._chunks), size, f'"{self._hash.hexdigest()}"')

    def _flush(self) -> None:
        self._chunks.append(b"".join(self._parts))
        self._parts.clear()
        self._length = 0
