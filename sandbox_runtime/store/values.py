"""Values of a query: what one text may mean, and how it compares.

A record's value is compared with the query's value read as the type that the record has there:

    record holds      the text ``t`` of a query is read as
    number            the JSON number t; integers beyond 64 bits compare as floats
    text              t itself, and what t says when it is a JSON text in quotes
    true, false       the word
    null              the word ``null``; a missing field is not null here (``isnull`` asks for both)
    array, object     nothing: equal to no value

So ``1`` finds 1, 1.0 and "1", and ``true`` finds true and "true". A value that a program passes as int,
float, bool or None is read as just that type. Order exists among numbers and among texts (by code point),
never across types.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from sandbox_runtime.store.errors import BadQuery, shown
from sandbox_runtime.store.functions import sql_number
from sandbox_runtime.store.limits import MAX_VALUE_CHARS

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
# int() of more digits than this is slow and beyond any float.
_MAX_DIGITS = 400

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a value may mean, by type; empty where it means nothing. ``raw`` is the text as it came."""

    numbers: tuple[int | float, ...] = ()
    texts: tuple[str, ...] = ()
    booleans: tuple[bool, ...] = ()
    null: bool = False
    raw: str | None = None

    def scalars(self) -> list[Scalar]:
        """All of it as JSON values."""
        return [*self.numbers, *self.texts, *self.booleans, *([None] if self.null else [])]


def read_value(field: str, value: object) -> Reading:
    """BadQuery when the value is too long or no scalar."""
    if isinstance(value, str):
        return _read_text(field, value)
    if isinstance(value, bool):
        return Reading(booleans=(value,))
    if value is None:
        return Reading(null=True)
    if isinstance(value, int | float) and math.isfinite(number := sql_number(value)):
        return Reading(numbers=(number,))
    raise BadQuery(
        f"{shown(field)} is compared with {shown(value)}; compare with a text, number, boolean or null"
    )


def check_text(field: str, text: str) -> str:
    """The text, when it is short enough and UTF-8 can say it."""
    if len(text) > MAX_VALUE_CHARS:
        raise BadQuery(
            f"the value of {shown(field)} has {len(text)} characters, the limit is {MAX_VALUE_CHARS};"
            " shorten it",
            limit=MAX_VALUE_CHARS,
        )
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise BadQuery(f"the value of {shown(field)} holds half a surrogate pair; send UTF-8")
    return text


def merged(readings: Iterable[Reading]) -> Reading:
    """All meanings of several values, as for a key that was given several times."""
    all_of = list(readings)
    return Reading(
        numbers=tuple(number for one in all_of for number in one.numbers),
        texts=tuple(text for one in all_of for text in one.texts),
        booleans=tuple(word for one in all_of for word in one.booleans),
        null=any(one.null for one in all_of),
    )


def json_float(value: float) -> str:
    """The digits that a record has for this float. SQLite's own reading of them is what to compare with: it
    is not always the nearest double."""
    return orjson.dumps(value).decode()


def _read_text(field: str, text: str) -> Reading:
    check_text(field, text)
    if text in _WORDS:
        word = _WORDS[text]
        return Reading(texts=(text,), booleans=() if word is None else (word,), null=word is None, raw=text)
    if _NUMBER.fullmatch(text):
        return Reading(numbers=_numbers(text), texts=(text,), raw=text)
    if text.startswith('"'):
        return Reading(texts=(text, *_quoted(text)), raw=text)
    return Reading(texts=(text,), raw=text)


def _numbers(text: str) -> tuple[int | float, ...]:
    if len(text) > _MAX_DIGITS:
        return ()
    number = sql_number(int(text)) if text.lstrip("-").isdigit() else float(text)
    return (number,) if math.isfinite(number) else ()


def _quoted(text: str) -> tuple[str, ...]:
    try:
        inner = json.loads(text)
    except ValueError:
        return ()
    return (check_text("value", inner),) if isinstance(inner, str) else ()
