"""Calls of a function that a model has thought of. Each is kept as it was written, or not at all.

Questions and answers travel as orjson's JSON, which makes a float of an integer beyond 64 bits, null of an
infinity, and nothing of a lone surrogate. A call with such a value would become another call.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import orjson

MAX_CASES: Final = 20
MAX_CASES_BYTES: Final = 64 * 1024  # of their JSON, all together
_MAX_DIGITS: Final = 20  # of an integer of 64 bits, with its sign
_UNSENDABLE: Final = object()
_AROUND: Final = len(orjson.dumps({"output": {"cases": []}}))


def exact(text: str) -> object:
    """The value of a JSON text; what cannot be sent stands for each number that would not arrive as it is.
    None when it is no JSON."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def cases_of(value: object) -> list[dict[str, Any]]:
    """Those with ``arguments`` that are an object, of what ``exact`` has found, or of a text for it. Without
    a ``result`` where none was written, which is not the same as null."""
    items = exact(value) if isinstance(value, str) else value
    kept: list[dict[str, Any]] = []
    left = MAX_CASES_BYTES
    for item in items if isinstance(items, list) else ():
        case = _case(item)
        size = _size(case) if case is not None else None
        if case is not None and size is not None and size <= left:
            kept.append(case)
            left -= size
        if len(kept) == MAX_CASES:
            break
    return kept


def _case(item: object) -> dict[str, Any] | None:
    if not isinstance(item, dict) or not isinstance(item.get("arguments"), dict):
        return None
    return {name: item[name] for name in ("arguments", "result") if name in item}


def _size(case: dict[str, Any]) -> int | None:
    """Bytes of its JSON; None when it cannot be sent as deep as it will stand in an answer."""
    try:
        return len(orjson.dumps({"output": {"cases": [case]}})) - _AROUND
    except TypeError:  # orjson.JSONEncodeError is one
        return None


def _integer(digits: str) -> object:
    return int(digits) if len(digits) <= _MAX_DIGITS else _UNSENDABLE


def _float(digits: str) -> object:
    number = float(digits)
    return number if math.isfinite(number) else _UNSENDABLE


def _constant(_name: str) -> object:
    """NaN and its like, which are no JSON."""
    return _UNSENDABLE


_DECODER: Final = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant)
