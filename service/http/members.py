"""The members of a JSON object that a request brings, each read by a row of a table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from service.errors import FieldError, ValidationFailed

C = TypeVar("C")
_MORE_UNKNOWN = 20


def read_members(
    body: Mapping[str, Any], table: Mapping[str, Callable[[Any, C], Any]], context: C
) -> dict[str, Any]:
    """By name, without those that are missing or null, which ask for the default. ``table``: what reads each
    of them, given the value and ``context``; a ValueError of it says what to send instead. ValidationFailed
    with every member that is wrong or unknown."""
    values: dict[str, Any] = {}
    errors = [
        FieldError(name, "is unknown", f"send only {', '.join(table)}")
        for name in list(body)[: len(table) + _MORE_UNKNOWN]
        if name not in table
    ]
    for name, read in table.items():
        if body.get(name) is not None:
            try:
                values[name] = read(body[name], context)
            except ValueError as error:
                errors.append(FieldError(name, "is not accepted", str(error), body[name]))
    if errors:
        raise ValidationFailed(errors)
    return values


def require(values: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """ValidationFailed with those of ``names`` that have no value."""
    missing = [FieldError(name, "is missing", f"send {name}") for name in names if values.get(name) is None]
    if missing:
        raise ValidationFailed(missing)


def text(value: Any, _: object) -> str:
    """A string. ValueError."""
    if not isinstance(value, str):
        raise ValueError("send a string")
    return value


def whole_number(value: Any, _: object) -> int:
    """An integer. ValueError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("send a whole number")
    return value
