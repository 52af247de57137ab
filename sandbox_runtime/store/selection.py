"""Sorting, paging and projection: the rest of a query besides its conditions.

Sorted ascending: numbers, texts (by code point), false, true, arrays, objects; descending the other way
round. Null and missing come last in both directions, and what is equal keeps the order of insertion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox_runtime.store.encoding import Record
from sandbox_runtime.store.errors import BadQuery, shown
from sandbox_runtime.store.functions import find_in, is_missing
from sandbox_runtime.store.limits import MAX_FIELDS, MAX_SORT_KEYS, MAX_VALUE_CHARS
from sandbox_runtime.store.operators import Clause
from sandbox_runtime.store.paths import Path, parse_path, split_escaped

_MAX_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Order:
    """The ORDER BY terms, without the words; ``paths`` are those that an index could serve."""

    sql: str
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """``limit`` None is everything."""

    limit: int | None
    offset: int


def order(sort: object) -> Order:
    """From ``"name,-address.city"``, or a list of such texts."""
    terms: list[str] = []
    first: list[Path] = []
    for key in _listed("sort", sort, MAX_SORT_KEYS):
        descending = key.startswith("-")
        path = parse_path(key[1:] if descending else key)
        # NULL is less than anything in SQLite, so descending it comes last already.
        terms.append(f"{path.key} DESC" if descending else f"{path.key} ASC NULLS LAST")
        if len(terms) == 1 and path.indexable:
            first.append(path)
    return Order(", ".join([*terms, "seq"]), tuple(first))


def page(limit: object, offset: object) -> Page:
    """BadQuery unless both are whole numbers from 0, as numbers or as text."""
    return Page(
        None if limit is None else whole_number("limit", limit),
        whole_number("offset", 0 if offset is None else offset),
    )


def whole_number(name: str, value: object) -> int:
    """BadQuery unless it is one from 0, as a number or as text; of a list, its last."""
    if isinstance(value, list | tuple) and value:
        value = value[-1]
    if isinstance(value, str) and len(value) <= 19 and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_NUMBER:
        raise BadQuery(f"{name} is {shown(value)}; send a whole number from 0")
    return value


def fields(wanted: object) -> tuple[Path, ...] | None:
    """From ``"name,address.city"``, or a list of such texts; None is all of the record."""
    if wanted is None:
        return None
    return tuple(parse_path(name) for name in _listed("fields", wanted, MAX_FIELDS))


def projected(record: Record, paths: tuple[Path, ...]) -> Record:
    """Only those members, each where it was; what the record does not have is left out."""
    result: Record = {}
    for path in paths:
        value = find_in(record, path.parts)
        if not is_missing(value):
            _put(result, record, path.parts, value)
    return result


def select_page(table: str, condition: Clause, terms: str, window: Page) -> tuple[str, tuple[object, ...]]:
    """SQL and parameters for the bodies of a page.

    The inner query orders row numbers alone, so that only the rows of the page are ever read as a whole.
    SQLite reads a subquery with a LIMIT in its order, and a CROSS JOIN from left to right.
    """
    inner = f"SELECT seq FROM {table} WHERE {condition.sql} ORDER BY {terms}"  # noqa: S608 - values are bound
    if window.limit is None:
        limit, parameters = "LIMIT -1 OFFSET ?", (*condition.parameters, window.offset)
    else:
        limit, parameters = "LIMIT ? OFFSET ?", (*condition.parameters, window.limit, window.offset)
    whole = f"CROSS JOIN {table} AS whole ON whole.seq = page.seq"
    return f"SELECT body FROM ({inner} {limit}) AS page {whole}", parameters  # noqa: S608 - values are bound


def _listed(name: str, value: object, limit: int) -> list[str]:
    if value is None:
        return []
    keys: list[str] = []
    for text in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(text, str):
            raise BadQuery(f"{name} is {shown(text)}; send field names with commas between")
        if len(text) > MAX_VALUE_CHARS:
            raise BadQuery(
                f"{name} has {len(text)} characters, the limit is {MAX_VALUE_CHARS}; name fewer fields"
            )
        keys.extend(key for key in split_escaped(text, ",") if key)
        if len(keys) > limit:
            raise BadQuery(f"{name} names more than {limit} fields; name fewer", limit=limit)
    return keys


def _put(result: Record, record: Any, parts: tuple[str, ...], value: object) -> None:
    # An array is taken as a whole: a part of it has no place of its own in the result.
    target, source = result, record
    for part in parts[:-1]:
        source = source[part]
        if not isinstance(source, dict):
            target[part] = source
            return
        inner = target.get(part)
        if inner is source:
            return  # asked for as a whole, too
        if inner is None:
            inner = target[part] = {}
        target = inner
    target[parts[-1]] = value
