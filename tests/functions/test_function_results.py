"""Every kind of result over HTTP: JSON, and what has none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functions.api import Api, hash_of, refusal, value

HASH = hash_of(__name__)
GIVING = """
import enum
from collections import deque
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

class Color(enum.Enum):
    RED = "red"

class Point(NamedTuple):
    x: int
    y: int

@dataclass
class Item:
    name: str
    points: list[Point] = field(default_factory=list)

def count(end):
    n = 0
    while end is None or n < end:
        yield n
        n += 1

async def counting():
    for n in (1, 2):
        yield n

def give(what: str):
    match what:
        case "dataclass": return Item("pen", [Point(1, 2)])
        case "set": return {1}
        case "frozenset": return frozenset(["a"])
        case "tuple": return (1, "a", None)
        case "bytes": return b"\\xff\\x00"
        case "decimal": return Decimal("1.10")
        case "date": return date(2024, 2, 29)
        case "datetime": return datetime(2024, 2, 29, 10, 11, tzinfo=timezone.utc)
        case "time": return time(10, 11)
        case "timedelta": return timedelta(days=1, hours=1)
        case "uuid": return UUID(int=1)
        case "enum": return Color.RED
        case "generator": return count(3)
        case "range": return range(3)
        case "deque": return deque([1])
        case "large": return 2**80
        case "float": return 0.1
        case "dict": return {1: {"a": [True, None]}}
        case "text": return "\\u00e9\\u20ac\\U0001f600"
        case "none": return None
        case "endless": return count(None)
        case "long": return "x" * 600_000
        case "nan": return float("nan")
        case "object": return object()
        case "lone": return chr(0xd800)
        case "cycle":
            cycle = []
            cycle.append(cycle)
            return cycle
"""


@pytest.fixture(scope="module")
def served(api: Api) -> Api:
    """With the function of the module."""
    api.serve(HASH, GIVING, "give")
    return api


@pytest.mark.parametrize(
    ("what", "result"),
    [
        ("dataclass", {"name": "pen", "points": [[1, 2]]}),
        ("set", [1]),
        ("frozenset", ["a"]),
        ("tuple", [1, "a", None]),
        ("bytes", "/wA="),
        ("decimal", "1.10"),
        ("date", "2024-02-29"),
        ("datetime", "2024-02-29T10:11:00+00:00"),
        ("time", "10:11:00"),
        ("timedelta", "P1DT3600S"),
        ("uuid", "00000000-0000-0000-0000-000000000001"),
        ("enum", "red"),
        ("generator", [0, 1, 2]),
        ("range", [0, 1, 2]),
        ("deque", [1]),
        ("large", 2**80),
        ("float", 0.1),
        ("dict", {"1": {"a": [True, None]}}),
        ("text", "\u00e9\u20ac\U0001f600"),
        ("none", None),
    ],
)
def test_result(served: Api, what: str, result: Any) -> None:
    """As docs/function-values.md has it; compared as text, in which 1 is not true."""
    assert json.dumps(value(served.get(HASH, "give", what=what))) == json.dumps(result)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("endless", "100000"),
        ("long", "LARS_MAX_RESULT_BYTES"),
        ("nan", "float"),
        ("object", "object"),
        ("lone", "surrogates"),
        ("cycle", "holds itself"),
    ],
)
def test_no_result(served: Api, what: str, said: str) -> None:
    """The function's error, with what is wrong; the next call is answered."""
    answer = served.get(HASH, "give", what=what)
    assert refusal(answer) == (500, "function_error")
    assert answer.json()["exception"]["type"] == "ResultError"
    assert said in answer.json()["exception"]["message"]
    assert value(served.get(HASH, "give", what="none")) is None
