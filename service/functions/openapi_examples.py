"""A value that a cleaned schema of a function accepts, to show what is meant. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from service.functions.openapi_schemas import Json, resolved

_MAX_DEPTH: Final = 6
_MAX_NODES: Final = 100
_FORMATS: Final[Mapping[str, str]] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT1H30M",
    "time": "12:00:00Z",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
}
_VALUES: Final[Mapping[str, Any]] = {
    "array": [],
    "boolean": True,
    "integer": 1,
    "null": None,
    "number": 1.5,
    "object": {},
    "string": "text",
}


class _Nothing(Exception):
    """No value could be made."""


def example_of(schema: Json, components: Mapping[str, Json]) -> Json:
    """The member ``example``, or nothing where it would be too large: a schema may lead back to itself."""
    try:
        return {"example": _Maker(components).value(schema, 0)}
    except _Nothing:
        return {}


class _Maker:
    def __init__(self, components: Mapping[str, Json]) -> None:
        self._components = components
        self._room = _MAX_NODES

    def value(self, schema: Json | bool, depth: int) -> Any:
        self._room -= 1
        if self._room < 0 or depth > _MAX_DEPTH or schema is False:
            raise _Nothing
        if schema is True:
            return "text"
        if "default" in schema:
            return schema["default"]
        schema = resolved(schema, self._components)
        if "enum" in schema:
            return schema["enum"][0]
        if "anyOf" in schema:
            return self._first(schema["anyOf"], depth)
        return self._typed(schema, depth)

    def _first(self, schemas: list[Json | bool], depth: int) -> Any:
        for schema in schemas:
            try:
                return self.value(schema, depth + 1)
            except _Nothing:
                continue
        raise _Nothing

    def _typed(self, schema: Json, depth: int) -> Any:
        kind = schema.get("type", "string")
        kind = kind if isinstance(kind, str) else kind[0]
        if kind == "array":
            return self._array(schema, depth)
        if kind == "object":
            properties = schema.get("properties", {})
            return {
                name: self.value(properties.get(name, {}), depth + 1) for name in schema.get("required", ())
            }
        if kind == "string":
            encoded = schema.get("contentEncoding") == "base64"
            return "aGVsbG8=" if encoded else _FORMATS.get(schema.get("format", ""), _VALUES[kind])
        return _VALUES[kind]

    def _array(self, schema: Json, depth: int) -> list[Any]:
        if "prefixItems" in schema:
            return [self.value(item, depth + 1) for item in schema["prefixItems"]]
        try:
            return [self.value(schema.get("items", {}), depth + 1)]
        except _Nothing:
            return []
