"""A form: what one annotation accepts, from JSON and from the text of a query string."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Sequence
from typing import Any

Schema = dict[str, object]
_SHOWN = 100


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def read_json(text: str) -> Any:
    """The value, with integers of any size, and no NaN. ValueError, RecursionError."""
    return _DECODER.decode(text)


class Mismatch(Exception):
    """A value that does not fit. ``where``: the way from the argument to the value (``.price``, ``[2]``)."""

    def __init__(self, expected: str, value: object, where: str = "", why: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.value = value
        self.where = where
        self.why = why


class Mismatches(Exception):
    """Several of them, found in one value."""

    def __init__(self, found: Sequence[Mismatch]) -> None:
        super().__init__(f"{len(found)} values that do not fit")
        self.found = tuple(found)


class Form:
    """``expected`` says in words what is accepted."""

    expected = "any JSON value"
    # Among the members of a union, those that accept every text come last when text is read.
    takes_any_text = False

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """JSON Schema 2020-12; what has a name of its own goes into ``definitions`` ($defs)."""
        raise NotImplementedError

    def from_json(self, value: Any) -> Any:
        """The argument for a JSON value. Mismatch or Mismatches when it does not fit."""
        raise NotImplementedError

    def from_text(self, text: str) -> Any:
        """The same for a text. What no text of its own stands for is written as JSON."""
        try:
            value = read_json(text)
        except (ValueError, RecursionError) as error:
            raise Mismatch(f"{self.expected}, written as JSON", text) from error
        return self.from_json(value)

    def from_texts(self, texts: list[str]) -> Any:
        """The same for a name that a query string repeats."""
        raise Mismatch(f"{self.expected}, once", texts)


class Anything(Form):
    """Any, object, or no annotation: JSON as it is, text as text."""

    takes_any_text = True

    def schema(self, _: dict[str, Schema]) -> Schema:
        return {}

    def from_json(self, value: Any) -> Any:
        return value

    def from_text(self, text: str) -> Any:
        return text

    def from_texts(self, texts: list[str]) -> Any:
        return texts


class Nothing(Form):
    """None."""

    expected = "null"

    def schema(self, _: dict[str, Schema]) -> Schema:
        return {"type": "null"}

    def from_json(self, value: Any) -> None:
        if value is not None:
            raise Mismatch(self.expected, value)

    def from_text(self, text: str) -> None:
        if text not in ("", "null"):
            raise Mismatch("nothing, or null", text)


def shown(value: object) -> str:
    """A value that came as JSON, shortened."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = _SHOWN
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = short.repr(value)
    return text.encode("utf-8", "backslashreplace").decode()
