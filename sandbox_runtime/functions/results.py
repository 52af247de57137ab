"""What a function returned, as JSON text: what JSON has, and what has one usual way of being written in it.

Dataclasses become objects; sets, tuples, generators and other iterators arrays; dates, times and durations
their ISO 8601 text; Decimal its text, because a number would be rounded by who reads it; bytes base64; UUID
its text; a member of an enumeration its value. What else there is, NaN and infinities among it, is refused.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime
import enum
import uuid
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import orjson

from sandbox_runtime.functions.durations import duration_as_text
from sandbox_runtime.result import encode_result, type_name

MAX_ITEMS = 100_000  # of a generator, which may have no end
_EXACT = frozenset((int, float, bool, type(None), str))
_LISTS = (list, tuple, set, frozenset, collections.deque, range)
_BASES: tuple[Any, ...] = (list, tuple, set, frozenset)
_VIEWS: tuple[type, ...] = tuple(map(type, ({}.keys(), {}.values(), {}.items())))
_DEPTH = 200  # below what every reader of JSON takes


class NotJson(Exception):
    """The value cannot be written; the text says what of it."""


def json_text(value: object, limit: int) -> bytes:
    """JSON of at most ``limit`` bytes. NotJson; and whatever the function's own generators raise."""
    if type(value) is int and -(1 << 63) <= value < 1 << 63:
        return b"%d" % value
    encoded = encode_result(_Plain(limit).of(value, 0), limit)
    if encoded.text is None:
        raise NotJson(encoded.reason)
    return encoded.text


def plain_value(value: object, limit: int) -> Any:
    """A default as a JSON value; None where JSON cannot hold it."""
    if type(value) in _EXACT or isinstance(value, _LISTS + tuple(_TEXTS) + (dict, enum.Enum)):
        try:
            return orjson.loads(json_text(value, limit))
        except NotJson:
            return None
    return None


class _Plain:
    """Makes of one value one that has only what JSON has, and stops where it grows above ``limit`` bytes.

    Everything is looked at once for each time it is held, so thirty lists that each hold the next one twice
    end at the limit too.
    """

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def of(self, value: Any, depth: int) -> Any:
        kind = type(value)
        self._spend(len(value) + 2 if kind is str else 1)
        if kind in _EXACT:
            return value
        if depth > _DEPTH:
            raise NotJson("it is nested too deeply, or holds itself")
        found = self._of_container(value, depth + 1)
        return found if found is not _NOTHING else self._of_single(value, depth)

    def _of_container(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return self._of_dict(value, depth)
        if isinstance(value, _LISTS + _VIEWS):
            return [self.of(item, depth) for item in _items(value)]
        if isinstance(value, Iterator):
            return self._of_iterator(value, depth)
        if dataclasses.is_dataclass(type(value)):
            names = [field.name for field in dataclasses.fields(value)]
            return self._of_dict({name: getattr(value, name) for name in names}, depth)
        return _NOTHING

    def _of_dict(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        found = {}
        for key, item in dict.items(value):
            name = key if type(key) in _EXACT else _key(key)
            self._spend(len(name) + 4 if type(name) is str else 5)
            if name in found:
                raise NotJson(f"two keys of a {type_name(value)} become the same JSON string")
            found[name] = self.of(item, depth)
        return found

    def _of_iterator(self, value: Iterator[Any], depth: int) -> list[Any]:
        found: list[Any] = []
        for item in value:
            if len(found) >= MAX_ITEMS:
                raise NotJson(f"the {type_name(value)} has more than {MAX_ITEMS} items")
            found.append(self.of(item, depth))
        return found

    def _of_single(self, value: Any, depth: int) -> Any:
        if isinstance(value, enum.Enum):
            return self.of(value.value, depth + 1)
        for kind, write in _TEXTS.items():
            if isinstance(value, kind):
                text = write(value)
                self._spend(len(text))
                return text
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, str):
            return str.__str__(value)
        raise NotJson(f"a {type_name(value)} cannot be written as JSON")

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise NotJson(f"its JSON is longer than {self._limit} bytes (LARS_MAX_RESULT_BYTES)")


_NOTHING = object()


def _items(value: Any) -> Iterable[Any]:
    """What it holds, whatever its own methods say."""
    for base in _BASES:
        if isinstance(value, base):
            found: Iterable[Any] = base.__iter__(value)
            return found
    return list(value)


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise NotJson(f"Decimal('{value}') cannot be written as JSON")
    return str(value)


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return base64.b64encode(value).decode()


# datetime before date, whose subclass it is.
_TEXTS: dict[type, Callable[[Any], str]] = {
    datetime.datetime: datetime.datetime.isoformat,
    datetime.date: datetime.date.isoformat,
    datetime.time: datetime.time.isoformat,
    datetime.timedelta: duration_as_text,
    Decimal: _decimal,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    uuid.UUID: str,
}


def _key(value: Any) -> Any:
    """A key that is no JSON scalar itself, as text."""
    if isinstance(value, enum.Enum):
        return _key(value.value)
    for kind, write in _TEXTS.items():
        if isinstance(value, kind):
            return write(value)
    if isinstance(value, str):
        return str.__str__(value)
    if type(value) in _EXACT:
        return value
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    raise NotJson(f"a {type_name(value)} cannot be a key of a JSON object")
