"""Records for a shape: some in each collection that it names, pointing at each other as a path would have
them. Made of the shape alone, so that equal shapes have equal fixtures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_runtime.foreign_keys import foreign_keys
from service.rest.proof.values import value_of, word
from service.rest.shape import Shape

NUMBERS = (1, 2, 3)
TEXT_ID = "k9"  # of a record that has hardly a member
CHILDREN = "details"  # below the records that the path leads to
PARENTS = "groups"  # above them
Records = list[dict[str, Any]]


def fixture_of(shape: Shape) -> dict[str, Records]:
    """Collection -> records. In all but the first, record n belongs to record ``parent_of(n)`` of the one
    before."""
    names = list(dict.fromkeys(shape.path[::2]))
    fields = _fields(shape)
    found: dict[str, Records] = {PARENTS: _records({}, None)}
    above: str | None = PARENTS
    for name in names:
        found[name] = _records(fields, above)
        above = name
    if CHILDREN not in found and above is not None:
        found[CHILDREN] = _records({}, above)
    return found


def parent_of(number: int) -> int:
    """Whose child it is: 1 and 2 are those of 1, 3 is that of 2."""
    return (number + 1) // 2


def _records(fields: Mapping[str, Any], above: str | None) -> Records:
    key = None if above is None else foreign_keys(above)[0]
    whole = [
        {
            "id": number,
            "name": word(number),
            "count": number * 10,
            "active": number % 2 == 0,
            "tags": [word(number)],
            "info": {"size": number},
            "note": None,
            **{name: value_of(tree, number) for name, tree in fields.items()},
            **({} if key is None else {key: parent_of(number)}),
        }
        for number in NUMBERS
    ]
    return [*whole, {"id": TEXT_ID, **({} if key is None else {key: TEXT_ID})}]


def _fields(shape: Shape) -> dict[str, Any]:
    """Those of the body, or of the objects in an array; the id is not the body's to say."""
    if isinstance(shape.body, str):
        return {}
    kind, children = shape.body
    trees = [shape.body] if kind == "object" else [tree for tree in children if isinstance(tree, tuple)]
    found: dict[str, Any] = {}
    for tree in trees:
        if tree[0] == "object":
            found |= {child[0]: child[1] for child in tree[1] if child != "..."}
    found.pop("id", None)
    return found
