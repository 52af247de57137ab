"""What SQL itself cannot say, as deterministic functions of a connection. None of them may raise."""

from __future__ import annotations

import json
import re
import sqlite3
from functools import lru_cache
from typing import Any

import orjson

from sandbox_runtime.store.encoding import decode
from sandbox_runtime.store.paths import is_index

SqlValue = int | float | str | bytes | None

_MISSING = object()
_KINDS = {bool: "boolean", int: "integer", float: "real", str: "text", list: "array", dict: "object"}


def register(connection: sqlite3.Connection) -> None:
    """Make the functions known to SQL."""
    for name, count, function in (
        ("lars_key", 2, _key_at),
        ("lars_kind", 2, _kind_at),
        ("lars_has_element", 3, _has_element),
        ("lars_icontains", 2, _icontains),
        ("lars_like", 2, _like),
        ("lars_q", 2, _mentions),
    ):
        connection.create_function(name, count, function, deterministic=True)


def key_of(value: object) -> SqlValue:
    """The key of a JSON value, as ``paths.Path.key`` is in SQL."""
    if value is None or value is _MISSING:
        return None
    if isinstance(value, bool):
        return b"\x01" if value else b"\x00"
    if isinstance(value, int | float):
        return sql_number(value)
    if isinstance(value, str):
        return value
    return b"\x02" if isinstance(value, list) else b"\x03"


def sql_number(value: int | float) -> int | float:
    """SQLite's integers have 64 bits; a longer one is compared as the nearest float."""
    if isinstance(value, float) or -(2**63) <= value < 2**63:
        return value
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def find_in(document: Any, parts: tuple[str, ...] | list[str]) -> Any:
    """What the path leads to, or ``_MISSING``."""
    value = document
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part, _MISSING)
        elif isinstance(value, list) and is_index(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def is_missing(value: object) -> bool:
    """Whether ``find_in`` found nothing."""
    return value is _MISSING


@lru_cache(maxsize=64)
def _parts(text: str) -> list[str]:
    parts: list[str] = json.loads(text)
    return parts


def _key_at(body: str, parts: str) -> SqlValue:
    return key_of(find_in(decode(body), _parts(parts)))


def _kind_at(body: str, parts: str) -> str | None:
    value = find_in(decode(body), _parts(parts))
    if value is None:
        return "null"
    return _KINDS.get(type(value))


def _has_element(body: str, parts: str, wanted: str) -> bool:
    found = find_in(decode(body), _parts(parts))
    return isinstance(found, list) and not _wanted_keys(wanted).isdisjoint(map(key_of, found))


@lru_cache(maxsize=8)
def _wanted_keys(wanted: str) -> frozenset[SqlValue]:
    return frozenset(map(key_of, json.loads(wanted)))


def _icontains(value: SqlValue, folded: str) -> bool:
    return isinstance(value, str) and folded in value.casefold()


def _like(value: SqlValue, pattern: str) -> bool:
    return isinstance(value, str) and _matches(value.casefold(), _pieces(pattern))


@lru_cache(maxsize=8)
def _pieces(pattern: str) -> tuple[re.Pattern[str], ...]:
    """The pattern between its ``%``: each of fixed length, so a search is linear times that length."""
    pieces = [""]
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            pieces[-1] += re.escape(next(characters, "\\").casefold())
        elif character == "%":
            pieces.append("")
        else:
            pieces[-1] += "." if character == "_" else re.escape(character.casefold())
    return tuple(re.compile(piece, re.DOTALL) for piece in pieces)


def _matches(text: str, pieces: tuple[re.Pattern[str], ...]) -> bool:
    if len(pieces) == 1:
        return pieces[0].fullmatch(text) is not None
    first = pieces[0].match(text)
    if first is None:
        return False
    position = first.end()
    # Taking each piece as far left as it goes never loses a match of the rest.
    for piece in pieces[1:-1]:
        found = piece.search(text, position)
        if found is None:
            return False
        position = found.end()
    return _ends_with(text, pieces[-1], position)


def _ends_with(text: str, piece: re.Pattern[str], position: int) -> bool:
    # The last piece has one length, too: the one place where it can end at the end.
    start = len(text) - _length(piece.pattern)
    return start >= position and piece.fullmatch(text, start) is not None


@lru_cache(maxsize=64)
def _length(pattern: str) -> int:
    return len(re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL))


def _mentions(body: str, folded: str) -> bool:
    # A text is in the JSON as it is, but for its escapes: most records are decided without reading them. Not
    # where the standard library wrote it, which spells some floats otherwise.
    if not body.startswith(" ") and _escaped(folded) not in body.casefold():
        return False
    todo: list[object] = [decode(body)]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
        elif folded in _searchable(item):
            return True
    return False


def _searchable(item: object) -> str:
    if isinstance(item, str):
        return item.casefold()
    if isinstance(item, bool) or item is None:
        return ""
    return orjson.dumps(item).decode() if isinstance(item, float) else str(item)


@lru_cache(maxsize=8)
def _escaped(folded: str) -> str:
    return json.dumps(folded, ensure_ascii=False)[1:-1].casefold()
