"""Values of every JSON type, the same each time: what fixtures and samples are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.rest.shape import BodyTree

_WORDS = ("alpha", "beta", "gamma", "delta")


def word(number: int) -> str:
    """A text."""
    return _WORDS[number % len(_WORDS)]


def value_of(tree: BodyTree | Any, number: int) -> Any:
    """A value of this type tree; another one for another number, where the type has several."""
    if isinstance(tree, str):
        return _scalars(number)[tree]
    kind, children = tree
    if kind == "object":
        return dict(_members(children, number))
    return [value_of(child, number + at) for at, child in enumerate(children) if child != "..."]


def _members(children: tuple[Any, ...], number: int) -> Iterator[tuple[str, Any]]:
    for child in children:
        if child != "...":
            yield child[0], value_of(child[1], number)


def _scalars(number: int) -> Mapping[str, Any]:
    return {
        "none": None,
        "null": None,
        "boolean": number % 2 == 0,
        "integer": number,
        "number": number + 0.5,
        "string": word(number),
        "object": {"name": word(number), "count": number},
        "array": [{"id": number, "name": word(number)}],
    }
