"""The store's rules once more, as slowly and plainly as possible: lists, loops, Python's own comparisons."""

from __future__ import annotations

import copy
import functools
import json
import re
from typing import Any

import orjson

MISSING = object()
JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class ModelDuplicate(Exception):
    """The id is taken."""


class Model:
    """One collection."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.next_id = 1
        self.used: set[str] = set()

    def insert(self, record: dict[str, Any]) -> dict[str, Any]:
        record = copy.deepcopy(record)
        if record.get("id") is None:
            rest = {key: value for key, value in record.items() if key != "id"}
            record = {"id": self.next_id, **rest}
        if any(str(other["id"]) == str(record["id"]) for other in self.records):
            raise ModelDuplicate
        if re.fullmatch(r"0|-?[1-9]\d*", str(record["id"]), re.ASCII):
            self.next_id = max(self.next_id, int(record["id"]) + 1)
        self.records.append(record)
        return copy.deepcopy(record)

    def get(self, wanted: object) -> dict[str, Any] | None:
        for record in self.records:
            if str(record["id"]) == str(wanted):
                return record
        return None

    def replace(self, wanted: object, new: dict[str, Any]) -> dict[str, Any] | None:
        record = self.get(wanted)
        if record is None:
            return None
        identifier = record["id"]
        record.clear()
        record["id"] = identifier
        record.update({key: value for key, value in copy.deepcopy(new).items() if key != "id"})
        return record

    def update(self, wanted: object, changes: dict[str, Any]) -> dict[str, Any] | None:
        record = self.get(wanted)
        if record is None:
            return None
        record.update({key: value for key, value in copy.deepcopy(changes).items() if key != "id"})
        return record

    def delete(self, wanted: object) -> bool:
        record = self.get(wanted)
        if record is None:
            return False
        self.records = [other for other in self.records if other is not record]
        return True

    def find(
        self, filters: dict[str, Any], q: str | None = None, sort: str | None = None
    ) -> list[dict[str, Any]]:
        found = [record for record in self.records if matches(record, filters)]
        if q is not None:
            found = [record for record in found if mentions(record, q)]
        for key in reversed(sort.split(",") if sort else []):
            found = sorted_by(found, key)
        return found


def at(record: Any, path: str) -> Any:
    """The value at a dotted path without escapes, or MISSING."""
    for part in path.split("."):
        if isinstance(record, dict) and part in record:
            record = record[part]
        elif (
            isinstance(record, list) and part.isdigit() and str(int(part)) == part and int(part) < len(record)
        ):
            record = record[int(part)]
        else:
            return MISSING
    return record


def matches(record: dict[str, Any], filters: dict[str, Any]) -> bool:
    return all(_holds(record, key, value) for key, value in filters.items())


def _holds(record: dict[str, Any], key: str, value: Any) -> bool:
    field, mark, operator = key.rpartition("__")
    if not mark:
        field, operator = key, "eq"
    found = at(record, field)
    values = value if isinstance(value, list) else [value]
    if operator == "ne":
        return not any(is_equal(found, one) for one in values)
    return any(_one(found, operator, one) for one in values)


def _one(found: Any, operator: str, value: Any) -> bool:
    if operator == "eq":
        return is_equal(found, value)
    if operator == "in":
        return any(is_equal(found, part) for part in value.split(","))
    if operator == "isnull":
        return (found is MISSING or found is None) is bool(value == "true")
    if operator in {"gt", "gte", "lt", "lte"}:
        return _in_order(found, operator, value)
    if operator == "contains" and isinstance(found, list):
        return any(is_equal(item, value) for item in found)
    return isinstance(found, str) and _text(found, operator, value)


def _text(found: str, operator: str, value: str) -> bool:
    if operator == "contains":
        return value in found
    if operator == "icontains":
        return value.casefold() in found.casefold()
    if operator == "startswith":
        return found.startswith(value)
    if operator == "endswith":
        return found.endswith(value)
    assert operator == "like"
    pattern = "".join(
        {"%": ".*", "_": "."}.get(character, re.escape(character.casefold())) for character in value
    )
    return re.fullmatch(pattern, found.casefold(), re.DOTALL) is not None


def is_equal(found: Any, value: Any) -> bool:
    if isinstance(found, bool):
        return value is found or bool(value == json.dumps(found))
    if found is None:
        return value is None or bool(value == "null")
    if isinstance(found, int | float):
        wanted = number(value)
        return wanted is not None and wanted == found
    if isinstance(found, str):
        return isinstance(value, str) and found in {value, unquoted(value)}
    return False


def _in_order(found: Any, operator: str, value: Any) -> bool:
    if isinstance(found, bool):
        return False
    if isinstance(found, int | float):
        left, right = found, number(value)
    elif isinstance(found, str) and isinstance(value, str):
        return any(_compares(found, operator, text) for text in {value, unquoted(value)} if text is not None)
    else:
        return False
    return right is not None and _compares(left, operator, right)


def _compares(left: Any, operator: str, right: Any) -> bool:
    return bool(
        {"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[operator]
    )


def number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return json.loads(value) if JSON_NUMBER.fullmatch(value) else None
    assert isinstance(value, int | float)
    return value


def unquoted(value: str) -> str | None:
    try:
        inner = json.loads(value)
    except ValueError:
        return None
    return inner if isinstance(inner, str) else None


def mentions(value: Any, q: str) -> bool:
    if isinstance(value, dict):
        return any(mentions(item, q) for item in value.values())
    if isinstance(value, list):
        return any(mentions(item, q) for item in value)
    if isinstance(value, str):
        return q.casefold() in value.casefold()
    if isinstance(value, bool) or value is None:
        return False
    return q.casefold() in orjson.dumps(value).decode()


def sorted_by(records: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    descending = key.startswith("-")
    path = key.removeprefix("-")
    there = [record for record in records if at(record, path) not in (MISSING, None)]
    rest = [record for record in records if at(record, path) in (MISSING, None)]

    def compare(left: dict[str, Any], right: dict[str, Any]) -> int:
        a, b = _rank(at(left, path)), _rank(at(right, path))
        return (a > b) - (a < b) if not descending else (b > a) - (b < a)

    return sorted(there, key=functools.cmp_to_key(compare)) + rest


def _rank(value: Any) -> tuple[int, Any]:
    if isinstance(value, bool):
        return (2, value)
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    return (3, 0) if isinstance(value, list) else (4, 0)
