"""What a collection's records have been seen to be: types with counts, never frozen by the first write.

Every write is one observation of the whole record, also when it changed a single field; deletions take
nothing back. So a count says how often a type was written, and a required ratio how often a member was there.

As stored: ``{"n": observations, "e": epoch, "x": whether something was left out, "f": {name: node}}``; a
node is ``{"t": {type: count}, "f": {name: node}, "i": node of the items}``. The epoch moves when a name or a
type comes that was not there, so it is what a description of the collection depends on.
"""

from __future__ import annotations

from typing import Any

import orjson

from sandbox_runtime.store.limits import (
    MAX_LEARNED_DEPTH,
    MAX_LEARNED_ITEMS,
    MAX_LEARNED_NODES,
    MAX_NAME_CHARS,
)

_TYPES = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    tuple: "array",
    dict: "object",
}

Node = dict[str, Any]


class Learned:
    """One collection's knowledge in memory; ``text`` is its stored form, read only when needed."""

    __slots__ = ("_nodes", "_root", "_stored", "changed")

    def __init__(self, stored: str | None) -> None:
        self._stored = stored
        self._root: Node | None = None
        self._nodes = 0
        self.changed = False

    @property
    def epoch(self) -> int:
        epoch: int = self._tree()["e"]
        return epoch

    @property
    def text(self) -> str:
        return orjson.dumps(self._tree()).decode()

    def observe(self, record: dict[str, Any]) -> bool:
        """Count one written record. True when it showed something new."""
        root = self._tree()
        before = root["e"]
        root["n"] += 1
        self.changed = True
        self._members(root, record, 1)
        return bool(root["e"] != before)

    def has_field(self, name: str) -> bool:
        """Whether a record ever had this member. Unsure, when some were left out, is yes."""
        root = self._tree()
        return name in root["f"] or bool(root["x"])

    def has_text_ids(self) -> bool:
        """Whether every id that was ever written is a text."""
        return set(self._tree()["f"].get("id", {"t": ()})["t"]) == {"string"}

    def kinds_at(self, parts: tuple[str, ...]) -> frozenset[str] | None:
        """Every type ever written at this path; None when that is not known."""
        node = self._tree()
        if node["x"]:
            return None
        for part in parts:
            node = node.get("f", {}).get(part)
            if node is None:
                return frozenset()
        return frozenset(node["t"])

    def describe(self) -> dict[str, Any]:
        """``{"records", "epoch", "complete", "fields": {name: {"types": {type: count}, "required": 0..1,
        "fields"?, "items"?}}}``."""
        root = self._tree()
        return {
            "records": root["n"],
            "epoch": root["e"],
            "complete": not root["x"],
            "fields": _fields(root["f"], root["n"]),
        }

    def _tree(self) -> Node:
        if self._root is None:
            self._root = orjson.loads(self._stored) if self._stored else {"n": 0, "e": 0, "x": False, "f": {}}
            self._nodes = _count(self._root)
        return self._root

    def _members(self, node: Node, value: dict[str, Any], depth: int) -> None:
        members = node["f"]
        for name, member in value.items():
            child = members.get(name)
            if child is None:
                if not self._room_for(name):
                    continue
                child = members[name] = {"t": {}}
            self._see(child, member, depth)

    def _see(self, node: Node, value: object, depth: int) -> None:
        counts = node["t"]
        kind = _TYPES[type(value)]
        if kind in counts:
            counts[kind] += 1
        else:
            counts[kind] = 1
            self._tree()["e"] += 1
        if kind in {"object", "array"}:
            self._inside(node, value, depth + 1)

    def _inside(self, node: Node, value: Any, depth: int) -> None:
        if depth > MAX_LEARNED_DEPTH:
            self._tree()["x"] = True
        elif isinstance(value, dict):
            node.setdefault("f", {})
            self._members(node, value, depth)
        else:
            for item in value[:MAX_LEARNED_ITEMS]:
                if "i" not in node:
                    if not self._room_for(""):
                        return
                    node["i"] = {"t": {}}
                self._see(node["i"], item, depth)

    def _room_for(self, name: str) -> bool:
        if self._nodes >= MAX_LEARNED_NODES or len(name) > MAX_NAME_CHARS:
            self._tree()["x"] = True
            return False
        self._nodes += 1
        return True


def _count(node: Node) -> int:
    inner = [*node.get("f", {}).values(), *([node["i"]] if "i" in node else [])]
    return len(inner) + sum(map(_count, inner))


def _fields(members: dict[str, Node], observed: int) -> dict[str, Any]:
    return {name: _described(node, observed) for name, node in members.items()}


def _described(node: Node, observed: int | None) -> dict[str, Any]:
    counts: dict[str, int] = node["t"]
    described: dict[str, Any] = {"types": dict(counts)}
    if observed is not None:
        described["required"] = round(sum(counts.values()) / observed, 6) if observed else 0.0
    if "f" in node:
        described["fields"] = _fields(node["f"], counts.get("object", 0))
    if "i" in node:
        described["items"] = _described(node["i"], None)
    return described
