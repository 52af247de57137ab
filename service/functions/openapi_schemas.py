"""Schemas of functions for a document that many share. A function's worker has made them, so they are taken
apart and made anew of the keywords that we know, bounded; what they define becomes components under the
function's own prefix, and a reference leads to one of those or is left out. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

Json = dict[str, Any]
MAX_DEPTH: Final = 12
MAX_NODES: Final = 400
_MAX_WALKED: Final = 20_000  # nodes that are looked at to tell definitions apart
_REFERENCE: Final = "#/$defs/"
_COMPONENT: Final = "#/components/schemas/"
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,60}")
_TYPES: Final = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))


def _is_type(value: object) -> bool:
    if isinstance(value, str):
        return value in _TYPES
    return _are_texts(value) and set(value) <= _TYPES and len(value) > 0  # type: ignore[arg-type, call-overload]


def _are_texts(value: object) -> bool:
    several = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return several and len(set(value)) == len(value)  # type: ignore[arg-type, call-overload]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_VALUES: Final[Mapping[str, Callable[[object], bool]]] = {
    "type": _is_type,
    "enum": lambda value: isinstance(value, list) and len(value) > 0,
    "format": _is_text,
    "contentEncoding": _is_text,
    "required": _are_texts,
    "minItems": _is_count,
    "maxItems": _is_count,
    "uniqueItems": lambda value: isinstance(value, bool),
    "default": lambda _: True,
}
_SCHEMA: Final = frozenset(("items", "additionalProperties"))
_SCHEMAS: Final = frozenset(("anyOf", "prefixItems"))


class Schemas:
    """Those of one function. ``components``: what they refer to, by name, which begins with ``prefix``."""

    def __init__(self, prefix: str) -> None:
        self.components: dict[str, Json] = {}
        self._prefix = prefix
        self._names: dict[tuple[str, bytes], str] = {}
        self._known: dict[tuple[int, str], str] = {}
        self._todo: list[tuple[str, str, Json]] = []
        self._room = MAX_NODES
        self._walked = 0

    def of(self, schema: Mapping[str, object]) -> Json:
        """One that stands for itself, with its ``$defs``. Beyond the bounds it says nothing: ``{}``."""
        defined = schema.get("$defs")
        definitions = defined if isinstance(defined, dict) else {}
        cleaned = self._clean(schema, definitions, 0)
        while self._todo:  # not by recursion: a chain of definitions may be long
            component, name, within = self._todo.pop()
            self.components[component] = {"title": name[:60], **self._clean(within[name], within, 0)}
        self._known.clear()  # its keys are identities
        return cleaned

    def _clean(self, schema: object, definitions: Json, depth: int) -> Json:
        self._room -= 1
        if not isinstance(schema, dict) or depth > MAX_DEPTH or self._room < 0:
            return {}
        found: Json = {}
        for keyword, value in schema.items():
            if keyword == "$ref":
                found |= self._reference(value, definitions)
            elif keyword in _VALUES:
                found |= {keyword: value} if _VALUES[keyword](value) else {}
            elif keyword in _SCHEMA:
                found[keyword] = self._clean_or_bool(value, definitions, depth + 1)
            elif keyword in _SCHEMAS and isinstance(value, list) and value:
                found[keyword] = [self._clean_or_bool(each, definitions, depth + 1) for each in value]
            elif keyword == "properties" and isinstance(value, dict):
                found[keyword] = {
                    name: self._clean_or_bool(each, definitions, depth + 1) for name, each in value.items()
                }
        return found

    def _clean_or_bool(self, schema: object, definitions: Json, depth: int) -> Json | bool:
        return schema if isinstance(schema, bool) else self._clean(schema, definitions, depth)

    def _reference(self, value: object, definitions: Json) -> Json:
        name = value.removeprefix(_REFERENCE) if isinstance(value, str) else ""
        if value != _REFERENCE + name or not isinstance(definitions.get(name), dict):
            return {}
        component = self._known.get((id(definitions), name)) or self._component(name, definitions)
        return {"$ref": _COMPONENT + component} if component else {}

    def _component(self, name: str, definitions: Json) -> str | None:
        """Its name among the components; None when there is no room for it."""
        if self._room < 0 or self._walked > _MAX_WALKED:
            return None
        content, walked = _reachable(name, definitions)
        self._walked += walked
        same = name, orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        if same not in self._names:
            component = self._names[same] = self._new_name(name)
            self.components[component] = {}
            self._todo.append((component, name, definitions))
        self._known[id(definitions), name] = self._names[same]
        return self._names[same]

    def _new_name(self, name: str) -> str:
        own = name if _NAME.fullmatch(name) else ""
        if own and f"{self._prefix}.{own}" not in self.components:
            return f"{self._prefix}.{own}"
        return f"{self._prefix}.{own}-{len(self.components)}"


def _reachable(name: str, definitions: Json) -> tuple[Json, int]:
    """The definition, and those that it leads to: two of one name are the same only if all of these are. And
    how many nodes that took."""
    found: Json = {}
    walked = 0
    todo: list[Any] = [{"$ref": _REFERENCE + name}]
    while todo:
        node = todo.pop()
        walked += 1
        if isinstance(node, list):
            todo += node
        elif isinstance(node, dict):
            reference = node.get("$ref")
            other = reference.removeprefix(_REFERENCE) if isinstance(reference, str) else ""
            if other in definitions and other not in found:
                found[other] = definitions[other]
                todo.append(definitions[other])
            todo += node.values()
    return found, walked


def resolved(schema: Json, components: Mapping[str, Json]) -> Json:
    """The schema, or the one that it is a reference to."""
    reference = schema.get("$ref")
    return schema if reference is None else components.get(reference.removeprefix(_COMPONENT), {})
