"""The program's ``result`` as JSON text, or the reason why JSON cannot hold it.

What JSON (RFC 8259) cannot hold is never bent into something it can: a NaN, a set, a cycle anywhere in the
value makes the whole result null, with its repr and a warning beside it. Two conversions are made, those
of the standard library's ``json``: tuples become arrays, and keys that are numbers, booleans or None become
strings (unless two keys would become one).
"""

from __future__ import annotations

import json
import mmap
import re
import reprlib
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox_runtime.wire import check_json

MAX_REPR = 4096
_CIRCULAR = "it holds itself (circular reference)"
_MANY = 1000
_SCALARS = frozenset((int, float, bool, type(None)))
# What orjson 3.13 asks for at most, measured: 184 bytes for an item of two bytes of JSON; room for the
# escapes of a whole string, doubled as the buffer grows.
_PER_ITEM = 184
_PER_BYTE = 16
_PROBE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_NO_ACCESS = 0  # PROT_NONE: counted as address space, never filled
_EXACT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


@dataclass(frozen=True, slots=True)
class Encoded:
    """``text`` is the JSON of the result; when it is None, ``representation`` shows the value and ``reason``
    says why."""

    text: bytes | None
    representation: str | None = None
    reason: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """For whoever reads the report."""
        if not self.reason:
            return ()
        return (f"result is not JSON: {self.reason}; result_repr has its repr",)


def encode_result(value: object, limit: int) -> Encoded:
    """JSON of at most ``limit`` bytes, or why not."""
    try:
        size, items = _least_size(value, limit)
        if size > limit:
            return _refused(value, _too_long(size, limit, "at least "))
        _require_memory(size, items)
        text = _exact_json(value)
    except MemoryError:
        return _refused(value, "encoding it ran out of memory; return less or raise memory_limit")
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        return _refused(value, _reason(error))
    except BaseException as error:  # noqa: BLE001 - a subclass's methods are the program's and may raise anything
        return _refused(value, f"its own methods raised {type_name(error)}")
    if len(text) > limit:
        return _refused(value, _too_long(len(text), limit))
    return Encoded(text)


def _too_long(size: int, limit: int, least: str = "") -> str:
    return f"its JSON has {least}{size} bytes, the limit is {limit} (LARS_MAX_RESULT_BYTES)"


def _least_size(value: object, limit: int) -> tuple[int, int]:
    """How long the JSON is at least and how many items it has, found without making it; counting stops above
    ``limit``. ValueError when it has no end.

    Thirty lists, each holding the next one twice, are a gigabyte of JSON, and an encoder that runs out of
    memory ends the process. Calls nothing of the program's.
    """
    size = items = 1
    steps = 0
    todo = [value]
    while todo and size <= limit:
        item = todo.pop()
        steps += 1
        if steps == _MANY and _holds_itself(value):
            raise ValueError(_CIRCULAR)
        if type(item) is str:
            size += len(item) + 1
            continue
        inner = _items(item)
        items += len(inner)
        # A comma or bracket and one byte for each; before each value of a dict a quoted key and a colon.
        size += len(inner) * (5 if issubclass(type(item), dict) else 2) - (1 if inner else 0)
        if size <= limit:
            todo.extend([child for child in inner if type(child) not in _SCALARS])
    return size, items


def _require_memory(size: int, items: int) -> None:
    """MemoryError where orjson could run out of memory: it would not raise, it ends the process."""
    try:
        mmap.mmap(-1, _PER_ITEM * items + _PER_BYTE * size, flags=_PROBE, prot=_NO_ACCESS).close()
    except OSError as error:
        raise MemoryError from error


def _holds_itself(value: object) -> bool:
    """Whether a container is reached from itself. Looks at each once."""
    done: set[int] = set()
    path: set[int] = set()
    todo = [(value, False)]
    while todo:
        item, leaving = todo.pop()
        if leaving:
            path.remove(id(item))
            done.add(id(item))
        elif id(item) in path:
            return True
        elif id(item) not in done and (inner := _items(item)):
            path.add(id(item))
            todo.append((item, True))
            todo.extend((child, False) for child in inner)
    return False


def _items(value: Any) -> list[object] | tuple[object, ...]:
    """What a container holds, whatever its own methods say; isinstance would ask its ``__class__``."""
    kind = type(value)
    if issubclass(kind, dict):
        return list(dict.values(value))
    if issubclass(kind, list):
        return list(list.__iter__(value))
    if issubclass(kind, tuple):
        return tuple(tuple.__iter__(value))
    return ()


def type_name(value: object) -> str:
    """The name of its type, also where a metaclass of the program's would answer for it."""
    return str(type.__dict__["__name__"].__get__(type(value)))


def _exact_json(value: object) -> bytes:
    try:
        fast = orjson.dumps(value, option=_EXACT)
    except TypeError:
        # orjson refuses what needs a second look: big integers, subclasses, keys that are not strings.
        return _careful_json(value)
    # orjson writes NaN as null; only a text with a null in it can hide one.
    return _careful_json(value) if b"null" in fast else fast


def _careful_json(value: object) -> bytes:
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    check_json(text)  # refuses nesting that a reader of the reply could not take
    _refuse_merging_keys(value)
    return text


def _refuse_merging_keys(value: object) -> None:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if len({_key_text(key) for key in item}) != len(item):
                raise ValueError("two keys of a dict become the same JSON string")
            todo.extend(item.values())
        elif isinstance(item, list | tuple):
            todo.extend(item)


def _key_text(key: object) -> object:
    if key is None or isinstance(key, bool | int | float):
        return json.dumps(key)
    return key


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError) or re.search("recursion|depth limit", str(error)):
        return "it is nested too deeply"
    return str(error) or type_name(error)


def _refused(value: object, why: str) -> Encoded:
    return Encoded(None, safe_repr(value), why)


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 8
        self.maxtuple = self.maxlist = self.maxarray = self.maxdict = self.maxset = 200
        self.maxfrozenset = self.maxdeque = 200
        self.maxstring = self.maxother = MAX_REPR
        self.maxlong = 400


def safe_repr(value: object) -> str:
    """A repr of bounded length, whatever the value's own ``__repr__`` does."""
    try:
        return _Short().repr(value)[:MAX_REPR].encode(errors="backslashreplace").decode()
    except MemoryError:
        return f"<{type_name(value)}: no memory left for its repr>"
    except BaseException as error:  # noqa: BLE001 - the program's __repr__ may raise anything
        return f"<{type_name(value)}: its repr raised {type_name(error)}>"
