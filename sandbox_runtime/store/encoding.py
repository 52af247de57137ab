"""A record's JSON text, and back, exactly.

The text is the record: SQLite's JSON functions only look at it to filter and sort. A text that begins with a
space (JSON allows it) holds integers that orjson would read as floats, and is read by the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson

from sandbox_runtime.store.errors import BadRecord, shown
from sandbox_runtime.store.limits import MAX_RECORD_BYTES, MAX_RECORD_DEPTH

Record = dict[str, Any]

_WIDE = " "
_PLAIN = frozenset((dict, list, tuple, str, int, float, bool, type(None)))
_EXACT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def encode(record: Record) -> str:
    """The text to store. BadRecord when JSON cannot hold the record, or the store not exactly."""
    text = _json_text(record)
    if len(text) > MAX_RECORD_BYTES:
        raise BadRecord(
            f"the record has {len(text)} bytes of JSON, the limit is {MAX_RECORD_BYTES}; split it",
            limit=MAX_RECORD_BYTES,
        )
    if text.count(b"[") + text.count(b"{") > MAX_RECORD_DEPTH:
        _refuse_depth(record)
    # SQLite ends a text at U+0000, so what was stored and what is found would differ.
    if b"\\u0000" in text:
        _refuse_nul(record)
    return text.decode()


def decode(text: str) -> Record:
    """The record that ``encode`` was given."""
    record: Record = json.loads(text) if text.startswith(_WIDE) else orjson.loads(text)
    return record


def decode_all(texts: list[str]) -> list[Record]:
    """Like ``decode`` for each, in one go."""
    if any(text.startswith(_WIDE) for text in texts):
        return [decode(text) for text in texts]
    records: list[Record] = orjson.loads("[" + ",".join(texts) + "]")
    return records


def _json_text(record: Record) -> bytes:
    try:
        fast = orjson.dumps(record, option=_EXACT)
    except TypeError:
        # Integers of more than 64 bits, and what is wrong: the standard library tells them apart.
        return _WIDE.encode() + _careful_text(record)
    if b"null" in fast:
        _standard_text(record)  # orjson writes NaN as null
    return fast


def _careful_text(record: Record) -> bytes:
    _refuse_depth(record)
    for item in _every(record):
        if type(item) not in _PLAIN:
            raise BadRecord(f"the record holds {shown(item)}, which JSON has no word for")
        if isinstance(item, dict) and not all(type(key) is str for key in item):
            raise BadRecord("the record has a key that is not a text; JSON has no other keys")
    return _standard_text(record)


def _standard_text(record: Record) -> bytes:
    try:
        return json.dumps(record, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise BadRecord(f"the record is not JSON: {error}") from error


def _refuse_depth(record: Record) -> None:
    level: list[Any] = [record]
    for _ in range(MAX_RECORD_DEPTH):
        level = [
            child for item in level for child in _children(item) if isinstance(child, dict | list | tuple)
        ]
        if not level:
            return
    raise BadRecord(f"the record is nested deeper than {MAX_RECORD_DEPTH} levels; flatten it")


def _refuse_nul(record: Record) -> None:
    for item in _every(record):
        if isinstance(item, str) and "\0" in item:
            raise BadRecord(f"the text {shown(item)} holds U+0000, which the store cannot search; remove it")


def _every(value: object) -> Iterator[object]:
    """The value, everything in it, and the keys."""
    todo = [value]
    while todo:
        item = todo.pop()
        yield item
        if isinstance(item, dict):
            todo.extend(item)
        todo.extend(_children(item))


def _children(item: object) -> list[object]:
    if isinstance(item, dict):
        return list(item.values())
    return list(item) if isinstance(item, list | tuple) else []
