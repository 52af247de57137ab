"""What a session's collections have learned, as JSON Schemas (draft 2020-12) of bounded size.

``x-seen-counts`` says how often each type was written, ``x-required-ratio`` how often a member was there.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from service.rest.openapi_parts import Json, ref

LEARNED_ITEMS = 8  # of each array the store looks at no more; a test holds the two together
_MAX_EXAMPLE = 8 << 10
_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
_PLAIN = re.compile(r"[A-Za-z0-9_-]", re.ASCII)


def component(name: str) -> str:
    """The name in A-Z a-z 0-9 _ - and, for each other byte of its UTF-8, a dot and two hexadecimal digits."""
    return "".join(
        char if _PLAIN.match(char) else "".join(f".{byte:02X}" for byte in _utf8(char)) for char in name
    )


def component_name(code: str) -> str:
    """What ``component`` was given."""
    head, *rest = code.split(".")
    raw = head.encode() + b"".join(bytes.fromhex(part[:2]) + part[2:].encode() for part in rest)
    return raw.decode("utf-8", "surrogatepass")


def _utf8(char: str) -> bytes:
    return char.encode("utf-8", "surrogatepass")


def schemas_of(name: str, code: str, learned: Mapping[str, Any], room: int) -> Json:
    """``members``: what was seen; ``record``: what each has; ``new``: the same without the id."""
    tree = _Tree(room)
    members = tree.members(learned["fields"], int(learned["records"]))
    required = members.pop("required", [])
    without_id = [field for field in required if field != "id"]
    base = {"allOf": [ref("schemas", f"members.{code}")]}
    return {
        f"members.{code}": members,
        f"record.{code}": {
            "title": name,
            **base,
            "required": required,
            "x-records-seen": learned["records"],
            "x-next-id": learned["next_id"],
            "x-complete": bool(learned["complete"]) and tree.complete,
        },
        f"new.{code}": {**base, "required": without_id},
    }


class _Tree:
    """One collection's learned types as a schema, level by level until ``room`` bytes (about) are used."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._todo: deque[tuple[Json, Mapping[str, Any], int]] = deque()
        self.complete = True

    def members(self, fields: Mapping[str, Any], observed: int) -> Json:
        """The schema of an object; a member that all ``observed`` of them had is required."""
        top: Json = {"type": "object"}
        self._todo.append((top, fields, observed))
        while self._todo:
            self._fill(*self._todo.popleft())
        return top

    def _fill(self, schema: Json, fields: Mapping[str, Any], observed: int) -> None:
        properties = schema["properties"] = {}
        required = []
        for name, seen in fields.items():
            if not self._has_room(name, seen):
                break
            properties[name] = self._seen(seen)
            # The ratio is rounded, so it alone may call a member required that one in millions lacks.
            if seen["required"] == 1 and sum(seen["types"].values()) == observed:
                required.append(name)
        if required:
            schema["required"] = required

    def _seen(self, seen: Mapping[str, Any]) -> Json:
        counts = {kind: seen["types"][kind] for kind in _TYPES if kind in seen["types"]}
        kinds = list(counts)
        schema: Json = {"type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}
        schema["x-seen-counts"] = counts
        if "required" in seen:
            schema["x-required-ratio"] = seen["required"]
        if "fields" in seen:
            self._todo.append((schema, seen["fields"], counts.get("object", 0)))
        if "items" in seen and self._has_room("", seen["items"]):
            items = self._seen(seen["items"])
            # Of fewer items than that in all arrays together, none was passed over; else it is a hint.
            few = sum(seen["items"]["types"].values()) < LEARNED_ITEMS
            schema["items"] = items if few else {"anyOf": [items, {}]}
        return schema

    def _has_room(self, name: str, seen: Mapping[str, Any]) -> bool:
        self._room -= 100 + 40 * len(seen["types"]) + 2 * len(json.dumps(name))
        self.complete = self.complete and self._room >= 0
        return self._room >= 0


def examples_of(code: str, example: Any) -> Json:
    """For ``components.examples``: a recorded record, as it is and as it could be sent."""
    if not isinstance(example, dict) or len(json.dumps(example)) > _MAX_EXAMPLE:
        return {}
    new = {name: value for name, value in example.items() if name != "id"}
    return {f"record.{code}": {"value": example}, f"new.{code}": {"value": new}}
