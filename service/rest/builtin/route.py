"""What a path template says: which collection, which record, below which parents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sandbox_runtime.foreign_keys import foreign_keys
from service.rest.shape import SEARCH

Kind = Literal["root", "collection", "item", "search"]


@dataclass(frozen=True, slots=True)
class Parent:
    """A record named on the way: its collection, and where in the path its id stands."""

    name: str
    at: int

    @property
    def keys(self) -> tuple[str, str]:
        """The fields of a child that may hold this parent's id."""
        return foreign_keys(self.name)


@dataclass(frozen=True, slots=True)
class Route:
    """``resource``: "" for the root. ``at``: where the record's own id stands; -1 unless it is an item."""

    kind: Kind
    resource: str = ""
    at: int = -1
    parents: tuple[Parent, ...] = ()


METHODS: dict[Kind, tuple[str, ...]] = {
    "root": ("GET", "HEAD", "OPTIONS"),
    "collection": ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST"),
    "item": ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"),
    "search": ("GET", "HEAD", "OPTIONS", "POST"),
}


def route_of(path: tuple[str, ...]) -> Route:
    """Total: every template is one of the four kinds."""
    if not path:
        return Route("root")
    tail = path[-1] if len(path) % 2 == 0 else None
    last = len(path) - (1 if tail is None else 2)
    parents = tuple(Parent(path[at], at + 1) for at in range(0, last, 2))
    if tail is None:
        return Route("collection", path[last], -1, parents)
    if tail == SEARCH:
        return Route("search", path[last], -1, parents)
    return Route("item", path[last], last + 1, parents)
