"""Forms of what has named members: dataclasses, TypedDict, NamedTuple."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox_runtime.functions.containers import Wrongs
from sandbox_runtime.functions.form import Form, Mismatch, Schema
from sandbox_runtime.result import type_name

_MEANS_THE_VALUE = (ValueError, TypeError, ArithmeticError, LookupError, AssertionError)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a record."""

    form: Form
    required: bool


class Record(Form):
    """An object with these members and no others. ``members`` come after it is made, because they may lead
    back to it."""

    def __init__(self, name: str, make: Callable[..., Any], *, in_order: bool = False) -> None:
        """``in_order``: an array of the members' values is accepted too."""
        self.members: dict[str, Member] = {}
        self._name = name
        self._make = make
        self._in_order = in_order
        self.expected = f"an object ({name})"

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        if self._name not in definitions:
            found: Schema = definitions.setdefault(self._name, {"type": "object"})
            found["properties"] = {
                name: member.form.schema(definitions) for name, member in self.members.items()
            }
            found["required"] = [name for name, member in self.members.items() if member.required]
            found["additionalProperties"] = False
        return {"$ref": f"#/$defs/{self._name}"}

    def from_json(self, value: Any) -> Any:
        if self._in_order and type(value) is list and len(value) <= len(self.members):
            value = dict(zip(self.members, value, strict=False))
        if type(value) is not dict:
            raise Mismatch(self.expected, value)
        wrongs = Wrongs()
        found = {}
        for name, member in self.members.items():
            if name in value:
                found[name] = wrongs.convert(f".{name}", member.form.from_json, value[name])
            elif member.required:
                wrongs.note(f".{name}", (Mismatch(member.form.expected, MISSING),))
        for name in value.keys() - self.members.keys():
            wrongs.note(f".{name[:40]}", (Mismatch(near_name(name, self.members), UNKNOWN),))
        wrongs.settle()
        try:
            return self._make(**found)
        except _MEANS_THE_VALUE as error:  # its own __init__ or __post_init__ refuses them
            why = f"{type_name(error)}: {error}"[:200]
            raise Mismatch(self.expected, value, why=why) from error


class _Sign:
    """In the place of a value."""


MISSING = _Sign()
UNKNOWN = _Sign()


def near_name(name: str, known: Any) -> str:
    """What to write instead of a name that is none."""
    near = difflib.get_close_matches(name[:100], list(known), n=1)
    if near:
        return f"{near[0]}?"
    listed = list(known)[:20]
    return f"one of {', '.join(listed)}" if listed else "nothing"
