"""The operators of a filter, each as SQL over a field's key (``paths.py``) with bound values.

Of several values one must match, except for ``ne``, where none may. No value is ever part of the SQL text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sandbox_runtime.store.errors import BadQuery, shown
from sandbox_runtime.store.paths import Path, parts_literal
from sandbox_runtime.store.values import Reading, check_text, json_float, merged, read_value

MAX_LIKE_CHARS = 256
NEVER = "0"  # SQL that is true of no row
_ANY_TEXT = "({key} >= '' AND {key} < x'')"


@dataclass(frozen=True, slots=True)
class Clause:
    """SQL that is true, false or NULL for a row, and the values of its ``?``."""

    sql: str
    parameters: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A path, and every type its values ever had (None: unknown). Readings of other types are left out, which
    changes no answer and lets SQLite walk one range of an index instead of two."""

    path: Path
    kinds: frozenset[str] | None = None

    def read(self, value: object) -> Reading:
        return self.narrowed(read_value(self.path.text, value))

    def narrowed(self, reading: Reading) -> Reading:
        if self.kinds is None or not self.path.indexable:
            return reading
        return replace(
            reading,
            numbers=reading.numbers if self.kinds & {"integer", "number"} else (),
            texts=reading.texts if "string" in self.kinds else (),
        )


def equals(path: Path, readings: Reading) -> Clause:
    """The path's value is one of those."""
    parts: list[str] = []
    parameters: list[object] = []
    candidates = [
        *readings.numbers,
        *readings.texts,
        *(b"\x01" if word else b"\x00" for word in readings.booleans),
    ]
    if candidates:
        marks = []
        for candidate in candidates:
            if isinstance(candidate, float):
                marks.append("json_extract(?, '$')")
                parameters.append(json_float(candidate))
            if not isinstance(candidate, float) or not path.indexable:
                marks.append("?")
                parameters.append(candidate)
        parts.append(f"{path.key} IN ({', '.join(marks)})")
    if readings.null:
        parts.append(f"({path.key} IS NULL AND {path.kind} = 'null')")
    return Clause(f"({' OR '.join(parts)})" if parts else NEVER, tuple(parameters))


def any_of(clauses: Sequence[Clause]) -> Clause:
    """True of a row when one of them is."""
    return _joined(clauses, " OR ", NEVER)


def all_of(clauses: Sequence[Clause]) -> Clause:
    """True of a row when each of them is."""
    return _joined(clauses, " AND ", "1")


def _joined(clauses: Sequence[Clause], word: str, nothing: str) -> Clause:
    if not clauses:
        return Clause(nothing)
    parameters = tuple(value for clause in clauses for value in clause.parameters)
    sql = word.join(clause.sql for clause in clauses)
    return Clause(sql if len(clauses) == 1 else f"({sql})", parameters)


def _equal(field: Field, values: list[object]) -> Clause:
    return equals(field.path, merged(field.read(value) for value in values))


def _not_equal(field: Field, values: list[object]) -> Clause:
    clause = _equal(field, values)
    return Clause(f"({clause.sql} IS NOT TRUE)", clause.parameters)


def _in(field: Field, values: list[object]) -> Clause:
    single: list[object] = []
    for value in values:
        single.extend(value.split(",") if isinstance(value, str) else [value])
    return _equal(field, single)


def _ordered(comparison: str) -> Callable[[Field, list[object]], Clause]:
    upward = comparison.startswith(">")

    def clause(field: Field, values: list[object]) -> Clause:
        clauses = []
        path = field.path
        for value in values:
            reading = read_value(path.text, value)
            if not reading.numbers and not reading.texts:
                raise BadQuery(
                    f"{shown(path.text)} {comparison} {shown(value)}: only numbers and texts have an order"
                )
            reading = field.narrowed(reading)
            for number in reading.numbers:
                mark = "json_extract(?, '$')" if isinstance(number, float) else "?"
                bound = f" AND {path.key} < ''" if upward else ""
                shape = f"({path.key} {comparison} {mark}{bound})"
                clauses.append(Clause(shape, (json_float(number) if isinstance(number, float) else number,)))
            for text in reading.texts:
                bound = f"{path.key} < x''" if upward else f"{path.key} >= ''"
                clauses.append(Clause(f"({path.key} {comparison} ? AND {bound})", (text,)))
        return any_of(clauses)

    return clause


def _contains(field: Field, values: list[object]) -> Clause:
    path = field.path
    readings = [read_value(path.text, value) for value in values]
    is_text = _ANY_TEXT.format(key=path.key)
    part = f"({is_text} AND instr({path.key}, ?) > 0)"
    clauses = [Clause(part, (reading.raw,)) for reading in readings if reading.raw is not None]
    # All values at once: each look at an array reads the record anew.
    wanted = json.dumps(merged(readings).scalars())
    element = f"({path.key} = x'02' AND lars_has_element(body, {parts_literal(path)}, ?))"
    return any_of([*clauses, Clause(element, (wanted,))])


def _icontains(field: Field, values: list[object]) -> Clause:
    path = field.path
    folded = [_text(path, value).casefold() for value in values]
    return any_of([Clause(f"lars_icontains({path.key}, ?)", (text,)) for text in folded])


def _startswith(field: Field, values: list[object]) -> Clause:
    path = field.path
    return any_of([_prefix(path, _text(path, value)) for value in values])


def _prefix(path: Path, text: str) -> Clause:
    """A range, so that an index serves it: all texts from this one up to the first that begins otherwise."""
    end = text.rstrip("\U0010ffff")
    if not end:
        return Clause(f"({path.key} >= ? AND {path.key} < x'')", (text,))
    after = ord(end[-1]) + 1
    following = chr(0xE000 if after == 0xD800 else after)
    return Clause(f"({path.key} >= ? AND {path.key} < ?)", (text, end[:-1] + following))


def _endswith(field: Field, values: list[object]) -> Clause:
    path = field.path
    clauses = []
    is_text = _ANY_TEXT.format(key=path.key)
    for value in values:
        text = _text(path, value)
        if text:
            clauses.append(Clause(f"({is_text} AND substr({path.key}, {-len(text)}) = ?)", (text,)))
        else:
            clauses.append(Clause(is_text))
    return any_of(clauses)


def _like(field: Field, values: list[object]) -> Clause:
    path = field.path
    patterns = [_text(path, value) for value in values]
    for pattern in patterns:
        if len(pattern) > MAX_LIKE_CHARS:
            raise BadQuery(
                f"the pattern for {shown(path.text)} has {len(pattern)} characters,"
                f" the limit is {MAX_LIKE_CHARS}; use contains"
            )
    return any_of([Clause(f"lars_like({path.key}, ?)", (pattern,)) for pattern in patterns])


def _isnull(field: Field, values: list[object]) -> Clause:
    path = field.path
    words = {True: True, "true": True, "1": True, False: False, "false": False, "0": False}
    clauses = []
    for value in values:
        if not isinstance(value, str | bool) or value not in words:
            raise BadQuery(f"{shown(path.text)} isnull {shown(value)}: say true or false")
        clauses.append(Clause(f"{path.key} IS {'' if words[value] else 'NOT '}NULL"))
    return any_of(clauses)


def _text(path: Path, value: object) -> str:
    if not isinstance(value, str):
        raise BadQuery(f"{shown(path.text)} is searched for {shown(value)}; search for a text")
    return check_text(path.text, value)


OPERATORS: dict[str, Callable[[Field, list[object]], Clause]] = {
    "eq": _equal,
    "ne": _not_equal,
    "gt": _ordered(">"),
    "gte": _ordered(">="),
    "lt": _ordered("<"),
    "lte": _ordered("<="),
    "in": _in,
    "contains": _contains,
    "icontains": _icontains,
    "startswith": _startswith,
    "endswith": _endswith,
    "like": _like,
    "isnull": _isnull,
}
# ne and isnull find most records, the others look at every text: no index helps them.
INDEXED = frozenset(("eq", "in", "gt", "gte", "lt", "lte", "startswith"))
