"""Forms of one out of several: unions, literals, members of an enumeration."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from sandbox_runtime.functions.form import Form, Mismatch, Mismatches, Nothing, Schema
from sandbox_runtime.functions.scalars import Float, Integer

_SCALARS = (str, int, float, bool, type(None))


class Union(Form):
    """The first member that fits. An integer is an int where there is one, and a text is read as a text only
    when it is nothing else."""

    def __init__(self, members: tuple[Form, ...]) -> None:
        members = tuple(_flat(members))
        self._members = tuple(sorted(members, key=_float_after_int(members)))
        self._of_text = tuple(sorted(self._members, key=lambda member: member.takes_any_text))
        self.takes_any_text = any(member.takes_any_text for member in members)
        self.expected = " or ".join(dict.fromkeys(member.expected for member in members))

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"anyOf": [member.schema(definitions) for member in self._members]}

    def from_json(self, value: Any) -> Any:
        return self._first([member.from_json for member in self._members], value)

    def from_text(self, text: str) -> Any:
        return self._first([member.from_text for member in self._of_text], text)

    def from_texts(self, texts: list[str]) -> Any:
        return self._first([member.from_texts for member in self._of_text], texts)

    def _first(self, converts: list[Callable[[Any], Any]], value: Any) -> Any:
        inner: list[Exception] = []
        for convert in converts:
            try:
                return convert(value)
            except (Mismatch, Mismatches) as error:
                inner.append(error)
        # Optional: what is wrong in the one form that was meant says more than that neither fits.
        meant = [
            error
            for error, member in zip(inner, self._members, strict=True)
            if not isinstance(member, Nothing)
        ]
        if len(meant) == 1 and isinstance(meant[0], Mismatches):
            raise meant[0]
        raise Mismatch(self.expected, value)


def _flat(members: tuple[Form, ...]) -> list[Form]:
    """Those of unions within, and null once."""
    inner = [
        each for member in members for each in (member._members if isinstance(member, Union) else (member,))
    ]
    null = [member for member in inner if isinstance(member, Nothing)]
    return [member for member in inner if not isinstance(member, Nothing)] + null[:1]


def _float_after_int(members: tuple[Form, ...]) -> Callable[[Form], bool]:
    has_int = any(isinstance(member, Integer) for member in members)
    return lambda member: has_int and isinstance(member, Float)


class OneOf(Form):
    """Literal and Enum: JSON scalar -> what it stands for. 1, 1.0 and true are three scalars."""

    def __init__(self, choices: list[tuple[Any, Any]]) -> None:
        self._by_value = {(type(value), value): chosen for value, chosen in choices}
        # As a query string writes them; where two are written alike, the first.
        self._by_text = {_written(value): chosen for value, chosen in reversed(choices)}
        self._values = [value for value, _ in choices]
        names = ", ".join(map(_written, self._values[:20]))
        self.expected = f"one of {names}" if len(choices) <= 20 else f"one of {names}, ..."

    def schema(self, _: dict[str, Schema]) -> Schema:
        return {"enum": list(self._values)}

    def from_json(self, value: Any) -> Any:
        try:
            return self._by_value[type(value), value]
        except (KeyError, TypeError) as error:
            raise Mismatch(self.expected, value) from error

    def from_text(self, text: str) -> Any:
        try:
            return self._by_text[text]
        except KeyError as error:
            raise Mismatch(self.expected, text) from error


def literal(values: tuple[object, ...]) -> OneOf | None:
    """Of the values of a Literal. None when JSON has not all of them."""
    choices = [(_of_member(value), value) for value in values]
    return OneOf(choices) if all(type(value) in _SCALARS for value, _ in choices) else None


def members_of(kind: type[enum.Enum]) -> OneOf:
    """Of an enumeration: a member is written as its value or, where JSON has no such scalar, as its name."""
    choices = [(_of_member(member), member) for member in kind.__members__.values()]
    return OneOf(list({id(chosen): (value, chosen) for value, chosen in choices}.values()))


def _of_member(value: object) -> object:
    if not isinstance(value, enum.Enum):
        return value
    return value.value if type(value.value) in _SCALARS else value.name


def _written(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
