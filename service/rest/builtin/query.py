"""Query parameters of the default dialect: which are filters, which are controls, which mean nothing here.

control    a reserved name that the action takes (limit, sort, _embed ...)
filter     field, or field__operator with a known operator; fields may be dotted paths
unknown    everything else: an unknown operator, no field name, another dialect's control, any parameter
           of an action that takes none
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from service.errors import BadRequest, FieldError

OPERATORS = "eq ne gt gte lt lte in contains icontains startswith endswith isnull like".split()
LIST_CONTROLS = frozenset(("limit", "offset", "sort", "q", "fields", "_embed", "_expand"))
_OTHER_DIALECT = {
    "_page": "limit and offset",
    "_per_page": "limit",
    "_limit": "limit",
    "_start": "offset",
    "_end": "limit",
    "_sort": "sort",
    "_order": "sort=-field",
    "_where": "field__operator parameters",
    "_delay": "nothing",
}
_OTHER_OPERATOR = re.compile(r"(.*[^_])_(ne|gte?|lte?|like)")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A parameter that is not applied, and what to send instead."""

    name: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Query:
    """A request's parameters, sorted out. ``repeated``: names that came more than once. ``doubtful``: filters
    that are applied, though something else may have been meant."""

    filters: tuple[str, ...] = ()
    controls: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()
    unknown: tuple[Unknown, ...] = ()
    doubtful: tuple[Unknown, ...] = ()


def sort_out(parameters: tuple[tuple[str, bool], ...], controls: frozenset[str], filters: bool) -> Query:
    """``controls``: the reserved names that the action takes. ``filters``: whether it takes filters."""
    taken, found, doubtful, unknown = [], [], [], []
    for name, _ in parameters:
        remedy = None if name in controls else _why_no_filter(name) if filters else "leave it out"
        if name in controls:
            taken.append(name)
        elif remedy is not None:
            unknown.append(Unknown(name, remedy))
        else:
            found.append(name)
            doubtful += _doubts(name)
    return Query(
        filters=tuple(found),
        controls=frozenset(taken),
        repeated=frozenset(name for name, many in parameters if many),
        unknown=tuple(unknown),
        doubtful=tuple(doubtful),
    )


def _why_no_filter(name: str) -> str | None:
    """None: it is one. Else the remedy."""
    if name in _OTHER_DIALECT:
        return f"use {_OTHER_DIALECT[name]}, or send Prefer: dialect=json-server"
    if name in LIST_CONTROLS:
        return "it has no meaning for this action"
    return why_no_field(name)


def why_no_field(name: str) -> str | None:
    """None: it is a field, with an operator or without, whatever the dialect reserves. Else the remedy."""
    field, separator, operator = name.rpartition("__")
    path = field if separator else name
    if separator and operator not in OPERATORS:
        near = difflib.get_close_matches(operator, OPERATORS, n=1)
        return f"use {field}__{near[0]}" if near else f"use {name}__eq if it is a field"
    parts = path.replace("\\.", "_").split(".")  # an escaped dot is a part of its name
    return None if all(parts) else "name a field, or a dotted path of fields"


def _doubts(name: str) -> list[Unknown]:
    match = _OTHER_OPERATOR.fullmatch(name)
    if match is None or "__" in name:
        return []
    remedy = f"send {name}__eq for a field of that name, {match[1]}__{match[2]} for the operator"
    return [Unknown(name, remedy)]


def refuse(unknown: tuple[Unknown, ...]) -> BadRequest:
    """The error that names each of them."""
    errors = [FieldError(each.name, "is not known here", each.remedy) for each in unknown]
    return BadRequest(
        f"query: {errors[0]}{f' (and {len(errors) - 1} more, see errors)' if len(errors) > 1 else ''}",
        extra={"errors": [error.as_json() for error in errors]},
    )


def refuse_parameter(name: str, message: str, remedy: str) -> BadRequest:
    """The error for one parameter."""
    error = FieldError(name, message, remedy)
    return BadRequest(str(error), extra={"errors": [error.as_json()]})
