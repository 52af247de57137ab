"""Field names of a query: from text to the parts of a path, and from there to SQL that no name can break.

``address.city`` is the member ``city`` of the member ``address``; ``\\.`` is a dot inside a name, ``\\\\`` a
backslash. A part of digits also counts into an array (``tags.0``).

A path's *key* is one SQL value that orders and compares as the store's rules say (``values.py``): numbers and
texts are themselves, false, true, arrays and objects the blobs 00, 01, 02, 03, null and missing are NULL.
SQLite sorts numbers before texts before blobs, so one expression, and one index on it, serves every operator.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from sandbox_runtime.store.errors import BadQuery, shown
from sandbox_runtime.store.limits import MAX_PATH_CHARS, MAX_PATH_DEPTH

# SQLite before 3.46 knows no escape inside $."…", and compares names as the JSON text spells them.
_PLAIN = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]+')
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Path:
    """``key`` and ``kind`` are SQL expressions over a row; ``indexable`` when an index may hold ``key``."""

    text: str
    parts: tuple[str, ...]
    key: str
    kind: str
    indexable: bool


@lru_cache(maxsize=1024)
def parse_path(text: str) -> Path:
    """BadQuery when the name is empty of parts, too long or too deep."""
    if len(text) > MAX_PATH_CHARS:
        raise BadQuery(
            f"the field name {shown(text)} has {len(text)} characters, the limit is {MAX_PATH_CHARS};"
            " shorten it"
        )
    parts = tuple(split_escaped(text, "."))
    if len(parts) > MAX_PATH_DEPTH:
        raise BadQuery(
            f"the field {shown(text)} is {len(parts)} levels deep, the limit is {MAX_PATH_DEPTH};"
            " ask higher up"
        )
    if parts == ("id",):
        return Path(text, parts, "id", "typeof(id)", indexable=False)
    if all(_PLAIN.fullmatch(part) and not is_index(part) for part in parts):
        where = _literal("$" + "".join(f'."{part}"' for part in parts))
        return Path(text, parts, _key(where), f"json_type(body, {where})", indexable=True)
    where = _literal(json.dumps(parts))
    return Path(text, parts, f"lars_key(body, {where})", f"lars_kind(body, {where})", indexable=False)


def split_escaped(text: str, separator: str) -> list[str]:
    """``text`` at every separator without a backslash before it; the backslashes are used up only when the
    separator is the dot, so that a list of paths can be split first and each path after that."""
    if "\\" not in text:
        return text.split(separator)
    keep = separator != "."
    parts = [""]
    characters = iter(text)
    for character in characters:
        if character == "\\":
            parts[-1] += (character if keep else "") + next(characters, "\\" if not keep else "")
        elif character == separator:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def is_index(part: str) -> bool:
    """Whether a part may also count into an array."""
    return _INDEX.fullmatch(part) is not None


def parts_literal(path: Path) -> str:
    """The parts as an SQL text, for the functions that look into a record themselves."""
    return _literal(json.dumps(path.parts))


def _key(where: str) -> str:
    return (
        f"CASE json_type(body, {where}) WHEN 'false' THEN x'00' WHEN 'true' THEN x'01'"
        f" WHEN 'array' THEN x'02' WHEN 'object' THEN x'03' ELSE json_extract(body, {where}) END"
    )


def _literal(text: str) -> str:
    # In an SQL text only the quote is special; NUL and surrogates never get here (_PLAIN, json.dumps).
    return "'" + text.replace("'", "''") + "'"
