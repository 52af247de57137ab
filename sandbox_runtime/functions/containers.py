"""Forms of what holds other values. All that is wrong in them is found at once, up to a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sandbox_runtime.functions.form import Form, Mismatch, Mismatches, Schema

_MOST = 20


class Wrongs:
    """Converts one part after another, and keeps what is wrong."""

    def __init__(self) -> None:
        self._found: list[Mismatch] = []

    def convert(self, where: str, convert: Callable[[Any], Any], value: Any) -> Any:
        """The converted part; None, and a note, where it does not fit."""
        try:
            return convert(value)
        except Mismatch as error:
            self.note(where, (error,))
        except Mismatches as errors:
            self.note(where, errors.found)
        return None

    def note(self, where: str, found: Iterable[Mismatch]) -> None:
        """These lie in the part ``where``."""
        self._found += [Mismatch(each.expected, each.value, where + each.where, each.why) for each in found]
        if len(self._found) >= _MOST:
            self.settle()

    def settle(self) -> None:
        """Raise what was found."""
        if self._found:
            raise Mismatches(self._found[:_MOST])


class Many(Form):
    """list, set, frozenset and tuple of any number of one form."""

    def __init__(self, item: Form, make: Callable[[Iterable[Any]], Any], *, unique: bool = False) -> None:
        self._item = item
        self._make = make
        self._unique = unique
        self.expected = f"an array, each item {item.expected}"

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        found: Schema = {"type": "array", "items": self._item.schema(definitions)}
        return {**found, "uniqueItems": True} if self._unique else found

    def from_json(self, value: Any) -> Any:
        if type(value) is not list:
            raise Mismatch(self.expected, value)
        return self._made(self._item.from_json, value)

    def from_text(self, text: str) -> Any:
        """One text is one item, unless it is a JSON array."""
        if text.startswith("["):
            return super().from_text(text)
        return self.from_texts([text])

    def from_texts(self, texts: list[str]) -> Any:
        return self._made(self._item.from_text, texts)

    def _made(self, convert: Callable[[Any], Any], values: list[Any]) -> Any:
        wrongs = Wrongs()
        items = [wrongs.convert(f"[{index}]", convert, value) for index, value in enumerate(values)]
        wrongs.settle()
        try:
            return self._make(items)
        except TypeError as error:  # an item that a set cannot hold
            raise Mismatch("items that can be in a set", values) from error


class Several(Form):
    """tuple[A, B]: so many, each of its own form."""

    def __init__(self, items: tuple[Form, ...]) -> None:
        self._items = items
        self.expected = f"an array of {len(items)}: {', '.join(item.expected for item in items)}"

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        prefix = [item.schema(definitions) for item in self._items]
        count = len(prefix)
        found: Schema = {"type": "array", "items": False, "minItems": count, "maxItems": count}
        return {**found, "prefixItems": prefix} if prefix else found

    def from_json(self, value: Any) -> tuple[Any, ...]:
        if type(value) is not list or len(value) != len(self._items):
            raise Mismatch(self.expected, value)
        return self._made((item.from_json for item in self._items), value)

    def from_texts(self, texts: list[str]) -> tuple[Any, ...]:
        if len(texts) != len(self._items):
            raise Mismatch(self.expected, texts)
        return self._made((item.from_text for item in self._items), texts)

    def _made(self, converts: Iterator[Callable[[Any], Any]], values: list[Any]) -> tuple[Any, ...]:
        wrongs = Wrongs()
        pairs = enumerate(zip(converts, values, strict=True))
        items = [wrongs.convert(f"[{index}]", convert, value) for index, (convert, value) in pairs]
        wrongs.settle()
        return tuple(items)


class Table(Form):
    """dict[K, V]. A key is a text, of which the key's form is read."""

    def __init__(self, key: Form, item: Form) -> None:
        self._key = key
        self._item = item
        self.expected = f"an object, each member {item.expected}"

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "object", "additionalProperties": self._item.schema(definitions)}

    def from_json(self, value: Any) -> dict[Any, Any]:
        if type(value) is not dict:
            raise Mismatch(self.expected, value)
        wrongs = Wrongs()
        found = {}
        for name, item in value.items():
            where = f"[{name[:40]!r}]"
            key = wrongs.convert(where, self._key.from_text, name)
            found[key] = wrongs.convert(where, self._item.from_json, item)
        wrongs.settle()
        if len(found) != len(value):
            raise Mismatch("members whose names stand for different keys", value)
        return found
