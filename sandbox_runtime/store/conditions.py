"""Filters, from ``{"age__gte": "18"}`` to SQL with bound parameters.

A filter's key is a path and, after the last ``__``, an operator; its value one value or a list of them.
Several keys must all hold. Of a list one must match, except for ``ne``, where none may.

    (none) eq ne in           equal, as ``values.py`` says; ``in`` takes a comma list
    gt gte lt lte             numbers with numbers, texts with texts
    contains                  a part of a text; an element of an array
    icontains                 a part of a text whatever the case (Unicode case folding)
    startswith endswith       of a text
    like                      a whole text: ``%`` any characters, ``_`` one, ``\\`` before either; any case
    isnull                    true: null or missing; false: neither

No value is ever part of the SQL text. Field names are, as ``paths.py`` quotes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sandbox_runtime.store.errors import BadQuery, shown
from sandbox_runtime.store.ids import meant
from sandbox_runtime.store.limits import MAX_CONDITIONS, MAX_LINKS, MAX_VALUES
from sandbox_runtime.store.operators import INDEXED, NEVER, OPERATORS, Clause, Field, all_of, any_of, equals
from sandbox_runtime.store.paths import Path, parse_path
from sandbox_runtime.store.values import Reading, check_text

Filters = Mapping[str, object]
Link = tuple[str | tuple[str, ...], object]


@dataclass(frozen=True, slots=True)
class Where:
    """All conditions of a query; ``paths`` are those that an index could serve."""

    clause: Clause
    paths: tuple[Path, ...]

    @property
    def restricts(self) -> bool:
        """False when it is true of every row."""
        return self.clause.sql != "1"


class Knowledge(Protocol):
    """What ``learned.Learned`` says of the fields of a collection."""

    def has_field(self, name: str) -> bool: ...

    def kinds_at(self, parts: tuple[str, ...]) -> frozenset[str] | None: ...


EVERYTHING = Where(Clause("1"), ())


def where(filters: Filters, q: object, links: Sequence[Link], known: Knowledge) -> Where:
    """BadQuery naming what is wrong. ``known`` is what was learned of the collection: only when a record had
    a member of such a name may a filter end like an operator that does not exist."""
    if not isinstance(filters, Mapping):
        raise BadQuery(f"the filters are {shown(filters)}; send field names with values")
    if len(filters) > MAX_CONDITIONS:
        raise BadQuery(f"there are {len(filters)} filters, the limit is {MAX_CONDITIONS}; send fewer")
    clauses: list[Clause] = []
    paths: list[Path] = []
    budget = MAX_VALUES
    for name, value in filters.items():
        path, operator = split_name(name, known)
        values = _values(name, value)
        budget -= sum(
            one.count(",") + 1 if isinstance(one, str) and operator == "in" else 1 for one in values
        )
        if budget < 0:
            raise BadQuery(f"the filters have more than {MAX_VALUES} values; send fewer", limit=MAX_VALUES)
        clauses.append(OPERATORS[operator](Field(path, known.kinds_at(path.parts)), values))
        if path.indexable and operator in INDEXED:
            paths.append(path)
    for link in _bounded(links):
        clause, keys = _link(*link, known)
        clauses.append(clause)
        paths.extend(key for key in keys if key.indexable)
    clauses.extend(_search(q))
    return Where(all_of(clauses), tuple(paths)) if clauses else EVERYTHING


def split_name(name: str, known: Knowledge) -> tuple[Path, str]:
    """The path and the operator of a filter's key."""
    if not isinstance(name, str):
        raise BadQuery(f"the filter {shown(name)} is not named by a text")
    field, mark, suffix = name.rpartition("__")
    if mark and suffix in OPERATORS:
        return parse_path(field), suffix
    path = parse_path(name)
    if mark and field.strip("_") and suffix and not known.has_field(path.parts[0]):
        raise BadQuery(
            f"the filter {shown(name)} ends in no known operator; use one of {', '.join(sorted(OPERATORS))},"
            f" or {shown(name + '__eq')} if the field has this name"
        )
    return path, "eq"


def _link(fields: str | tuple[str, ...], value: object, known: Knowledge) -> tuple[Clause, list[Path]]:
    """A foreign key has the value, as the integer or as the text of it; of several names, one does. With the
    paths that may hold it at all."""
    names = (fields,) if isinstance(fields, str) else fields
    ids = meant(value)
    reading = Reading(
        numbers=tuple(one for one in ids if isinstance(one, int)),
        texts=tuple(one for one in ids if isinstance(one, str)),
    )
    paths = [parse_path(name) for name in names]
    if not paths or len(paths) > MAX_LINKS:
        raise BadQuery(f"a link has {len(paths)} fields; give 1 to {MAX_LINKS}")
    fitting = [Field(path, known.kinds_at(path.parts)).narrowed(reading) for path in paths]
    found = [(equals(path, fits), path) for path, fits in zip(paths, fitting, strict=True)]
    possible = [(clause, path) for clause, path in found if clause.sql != NEVER]
    return any_of([clause for clause, _ in possible]), [path for _, path in possible]


def _bounded(links: Sequence[Link]) -> Sequence[Link]:
    if len(links) > MAX_LINKS:
        raise BadQuery(f"there are {len(links)} links, the limit is {MAX_LINKS}; send fewer")
    return links


def _values(name: str, value: object) -> list[object]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    if len(values) > MAX_VALUES:
        raise BadQuery(f"{shown(name)} has {len(values)} values, the limit is {MAX_VALUES}; send fewer")
    return values


def _search(q: object) -> list[Clause]:
    if q is None:
        return []
    texts = [check_text("q", text) if isinstance(text, str) else None for text in _values("q", q)]
    clauses = []
    for text in texts:
        if text is None:
            raise BadQuery("q is not a text; send a text")
        clauses.append(Clause("lars_q(body, ?)", (text.casefold(),)))
    return [any_of(clauses)]
