"""JSON Merge Patch (RFC 7396), JSON Patch (RFC 6902) and JSON Pointer (RFC 6901) on plain JSON values.

Nothing given is ever changed: the result shares with it what no operation touched.
"""

from __future__ import annotations

import re
from typing import Any

from sandbox_runtime.store.errors import PatchConflict, PatchInvalid, shown
from sandbox_runtime.store.limits import MAX_PATCH_NODES, MAX_PATCH_OPERATIONS, MAX_RECORD_DEPTH

_INDEX = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


def merge_patched(target: Any, patch: Any, depth: int = 0) -> Any:
    """RFC 7396 §2: objects merge, null removes a member, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    if depth > MAX_RECORD_DEPTH:
        raise PatchInvalid(f"the patch is nested deeper than {MAX_RECORD_DEPTH} levels; flatten it")
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patched(result.get(name), value, depth + 1)
    return result


def json_patched(document: Any, operations: Any) -> Any:
    """RFC 6902: all operations in order, or none. PatchConflict when a ``test`` fails; PatchInvalid for the
    rest; ``extra`` holds the index of the operation."""
    if not isinstance(operations, list | tuple):
        raise PatchInvalid(f"a JSON Patch is a list of operations, not {shown(operations)}")
    if len(operations) > MAX_PATCH_OPERATIONS:
        raise PatchInvalid(
            f"the patch has {len(operations)} operations, the limit is {MAX_PATCH_OPERATIONS}; send several",
            limit=MAX_PATCH_OPERATIONS,
        )
    patching = _Patching(_copied(document))
    for index, operation in enumerate(operations):
        try:
            patching.apply(operation)
        except (PatchInvalid, PatchConflict) as error:
            raise type(error)(f"operation {index}: {error.detail}", index=index) from error
    return patching.document


def same_json(left: Any, right: Any) -> bool:
    """Equality of JSON values (RFC 6902 §4.6): 1 equals 1.0 but not true."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(left[name], right[name]) for name in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same_json, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


class _Patching:
    """One document while a patch runs over it. ``_budget`` bounds what copying makes."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._budget = MAX_PATCH_NODES

    def apply(self, operation: Any) -> None:
        if not isinstance(operation, dict):
            raise PatchInvalid(f"{shown(operation)} is not an object")
        name = operation.get("op")
        path = _pointer(operation, "path")
        if name == "add":
            self._add(path, self._own(_member(operation, "value")))
        elif name == "remove":
            self._remove(path)
        elif name == "replace":
            self._replace(path, self._own(_member(operation, "value")))
        elif name == "move":
            self._move(_pointer(operation, "from"), path)
        elif name == "copy":
            self._add(path, self._own(self._get(_pointer(operation, "from"))))
        elif name == "test":
            self._test(path, _member(operation, "value"))
        else:
            raise PatchInvalid(f"op is {shown(name)}; use add, remove, replace, move, copy or test")

    def _get(self, path: list[str]) -> Any:
        value = self.document
        for part in path:
            value = _step(value, part, path)
        return value

    def _add(self, path: list[str], value: Any) -> None:
        if not path:
            self.document = value
            return
        parent = self._get(path[:-1])
        if isinstance(parent, dict):
            parent[path[-1]] = value
        elif isinstance(parent, list):
            end = len(parent)
            parent.insert(end if path[-1] == "-" else _index(path[-1], end, path), value)
        else:
            raise _nothing_at(path)

    def _remove(self, path: list[str]) -> Any:
        if not path:
            raise PatchInvalid("the whole record cannot be removed by a patch; use DELETE")
        parent = self._get(path[:-1])
        removed = _step(parent, path[-1], path)
        if isinstance(parent, dict):
            del parent[path[-1]]
        else:
            del parent[int(path[-1])]
        return removed

    def _replace(self, path: list[str], value: Any) -> None:
        if path:
            parent = self._get(path[:-1])
            _step(parent, path[-1], path)
            parent[path[-1] if isinstance(parent, dict) else int(path[-1])] = value
        else:
            self.document = value

    def _move(self, origin: list[str], path: list[str]) -> None:
        if path == origin:
            self._get(origin)
            return
        if path[: len(origin)] == origin:
            raise PatchInvalid("a value cannot be moved into itself")
        self._add(path, self._remove(origin))

    def _test(self, path: list[str], wanted: Any) -> None:
        try:
            equal = same_json(self._get(path), wanted)
        except RecursionError as error:
            raise PatchInvalid(
                f"the value to test is nested deeper than {MAX_RECORD_DEPTH} levels"
            ) from error
        if not equal:
            raise PatchConflict(f"the value at {shown(_text(path))} is not the one that test names")

    def _own(self, value: Any) -> Any:
        """A copy, so that no two places of the document change together."""
        self._budget -= _size(value, self._budget)
        if self._budget < 0:
            raise PatchInvalid(f"the patch writes more than {MAX_PATCH_NODES} values; send several patches")
        return _copied(value)


def _pointer(operation: dict[str, Any], name: str) -> list[str]:
    text = _member(operation, name)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchInvalid(f'{name} is {shown(text)}; a JSON Pointer is "" or starts with /')
    if re.search(r"~(?![01])", text):
        raise PatchInvalid(f"{name} is {shown(text)}; in a JSON Pointer ~ is written ~0, and / is ~1")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _member(operation: dict[str, Any], name: str) -> Any:
    if name not in operation:
        raise PatchInvalid(f"{shown(operation.get('op'))} has no {name!r}; RFC 6902 asks for one")
    return operation[name]


def _step(value: Any, part: str, path: list[str]) -> Any:
    if isinstance(value, dict) and part in value:
        return value[part]
    if isinstance(value, list):
        return value[_index(part, len(value) - 1, path)]
    raise _nothing_at(path)


def _index(part: str, last: int, path: list[str]) -> int:
    if _INDEX.fullmatch(part) and int(part) <= last:
        return int(part)
    raise _nothing_at(path)


def _nothing_at(path: list[str]) -> PatchInvalid:
    return PatchInvalid(f"there is nothing at {shown(_text(path))}; name a path that the record has")


def _text(path: list[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _size(value: Any, enough: int) -> int:
    """How many values it holds, itself included; counting stops above ``enough``."""
    size = 0
    todo = [value]
    while todo and size <= enough:
        item = todo.pop()
        size += 1
        if isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list | tuple):
            todo.extend(item)
    return size


def _copied(value: Any, depth: int = 0) -> Any:
    if not isinstance(value, dict | list | tuple):
        return value
    if depth > MAX_RECORD_DEPTH:
        raise PatchInvalid(f"a value is nested deeper than {MAX_RECORD_DEPTH} levels; flatten it")
    if isinstance(value, dict):
        return {name: _copied(item, depth + 1) for name, item in value.items()}
    return [_copied(item, depth + 1) for item in value]
