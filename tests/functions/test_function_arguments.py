"""Every kind of argument over HTTP: as text in a query string, and as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functions.api import Api, hash_of, refusal, value

HASH = hash_of(__name__)
TAKING = """
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Optional, TypedDict, Union
from uuid import UUID

class Color(Enum):
    RED = "red"
    TWO = 2

@dataclass(frozen=True)
class Item:
    name: str
    price: float = 1.0

class Row(TypedDict, total=False):
    a: int

UNSET = "unset"

def take(
    *,
    an_int: int = UNSET, a_float: float = UNSET, a_bool: bool = UNSET, a_str: str = UNSET,
    some: bytes = UNSET,
    numbers: list[int] = UNSET, flags: dict[str, bool] = UNSET, pair: tuple[int, str] = UNSET,
    letters: set[str] = UNSET, maybe: Optional[int] = UNSET, either: Union[int, date, str] = UNSET,
    choice: Literal["a", 2] = UNSET, color: Color = UNSET, moment: datetime = UNSET, day: date = UNSET,
    clock: time = UNSET, span: timedelta = UNSET, amount: Decimal = UNSET, ident: UUID = UNSET,
    item: Item = UNSET, items: list[Item] = UNSET, row: Row = UNSET, anything: Any = UNSET,
) -> str:
    given = [value for value in (
        an_int, a_float, a_bool, a_str, some, numbers, flags, pair, letters, maybe, either, choice, color,
        moment, day, clock, span, amount, ident, item, items, row, anything,
    ) if value is not UNSET]
    return repr(given[0])

def collect(first: int, /, second: int = 2, *rest: float, key: str = "k", **more: bool) -> list:
    return [first, second, rest, key, more]

async def later(a: int, b: int = 2) -> int:
    return a + b

def plain(a, b="x"):
    return [a, b]
"""


@pytest.fixture(scope="module")
def served(api: Api) -> Api:
    """With the functions of the module."""
    api.serve(HASH, TAKING, "take", "collect", "later", "plain")
    return api


UUID_TEXT = "12345678-1234-5678-1234-567812345678"
# parameter, text or texts of a query string, JSON value, what the function is given
RIGHT: tuple[tuple[str, Any, Any, str], ...] = (
    ("an_int", "-12", -12, "-12"),
    ("an_int", str(2**80), 2**80, str(2**80)),
    ("a_float", "1e3", 1000, "1000.0"),
    ("a_bool", "true", True, "True"),
    ("a_bool", "0", False, "False"),
    ("a_str", "a b&c=\u20ac", "a b&c=\u20ac", "'a b&c=\u20ac'"),
    ("a_str", "", "", "''"),
    ("some", "_w==", "/w==", "b'\\xff'"),
    ("numbers", ["1", "2"], [1, 2], "[1, 2]"),
    ("numbers", "[1, 2]", [1, 2], "[1, 2]"),
    ("numbers", "7", [7], "[7]"),
    ("flags", '{"a": true}', {"a": True}, "{'a': True}"),
    ("pair", ["1", "a"], [1, "a"], "(1, 'a')"),
    ("letters", ["a", "a"], ["a", "a"], "{'a'}"),
    ("maybe", "3", 3, "3"),
    ("maybe", "null", None, "None"),
    ("either", "3", 3, "3"),
    ("either", "2024-02-29", "2024-02-29", "datetime.date(2024, 2, 29)"),
    ("either", "x", "x", "'x'"),
    ("choice", "a", "a", "'a'"),
    ("choice", "2", 2, "2"),
    ("color", "red", "red", "<Color.RED: 'red'>"),
    ("color", "2", 2, "<Color.TWO: 2>"),
    ("moment", "2024-02-29T10:11:12", "2024-02-29T10:11:12", "datetime.datetime(2024, 2, 29, 10, 11, 12)"),
    ("day", "2024-02-29", "2024-02-29", "datetime.date(2024, 2, 29)"),
    ("clock", "10:11", "10:11", "datetime.time(10, 11)"),
    ("span", "90", 90, "datetime.timedelta(seconds=90)"),
    ("amount", "1.10", "1.10", "Decimal('1.10')"),
    ("ident", UUID_TEXT, UUID_TEXT, f"UUID('{UUID_TEXT}')"),
    ("item", '{"name": "pen"}', {"name": "pen"}, "Item(name='pen', price=1.0)"),
    ("items", '[{"name": "a", "price": 2}]', [{"name": "a", "price": 2}], "[Item(name='a', price=2.0)]"),
    ("row", '{"a": 1}', {"a": 1}, "{'a': 1}"),
    ("anything", "1", "1", "'1'"),
)
# parameter, text, JSON value, the field that is named, what was expected
WRONG: tuple[tuple[str, Any, Any, tuple[str, str]], ...] = (
    ("an_int", "1.0", 1.0, ("an_int", "expected an integer")),
    ("an_int", "", None, ("an_int", "expected an integer")),
    ("a_float", "nan", "1.5", ("a_float", "expected a ")),
    ("a_bool", "yes", 1, ("a_bool", "expected true")),
    ("some", "a", "a", ("some", "expected base64 (RFC 4648)")),
    ("numbers", ["1", "x"], [1, "x"], ("numbers[1]", "expected an integer")),
    ("flags", '{"a": 1}', {"a": 1}, ("flags['a']", "expected true or false")),
    ("pair", ["1"], [1], ("pair", "expected an array of 2: an integer, a text")),
    ("maybe", "x", "x", ("maybe", "expected an integer or null")),
    ("choice", "b", "b", ("choice", "expected one of a, 2")),
    ("color", "RED", "RED", ("color", "expected one of red, 2")),
    ("moment", "now", "now", ("moment", "expected a date and time as ISO 8601 writes it")),
    ("day", "2023-02-29", "2023-02-29", ("day", "expected a date as ISO 8601 writes it")),
    ("amount", "NaN", True, ("amount", "expected a decimal number, as a text or a number")),
    ("ident", "1", "1", ("ident", "expected a UUID (RFC 9562)")),
    ("item", '{"price": 1}', {"price": 1}, ("item.name", "expected a text")),
    (
        "items",
        '[{"x": 1, "name": "a"}]',
        [{"x": 1, "name": "a"}],
        ("items[0].x", "expected one of name, price"),
    ),
    ("row", '{"a": "1"}', {"a": "1"}, ("row.a", "expected an integer")),
)


@pytest.mark.parametrize(("name", "text", "item", "shown"), RIGHT)
def test_argument(served: Api, name: str, text: Any, item: Any, shown: str) -> None:
    """The same object, whichever way it has come."""
    assert value(served.get(HASH, "take", **{name: text})) == shown
    assert value(served.post(HASH, "take", **{name: item})) == shown


@pytest.mark.parametrize(("name", "text", "item", "told"), WRONG)
def test_wrong_argument(served: Api, name: str, text: Any, item: Any, told: tuple[str, str]) -> None:
    """422 names the parameter, with the way into it, and what was expected; the function does not run."""
    for answer in (served.get(HASH, "take", **{name: text}), served.post(HASH, "take", **{name: item})):
        assert refusal(answer) == (422, "validation_failed")
        (error,) = answer.json()["errors"]
        assert error["field"] == told[0]
        assert error["remedy"].startswith(told[1])


def test_every_wrong_argument_is_named(served: Api) -> None:
    """At once: missing, wrong and unknown ones."""
    answer = served.post(HASH, "collect", second="x", rest=[1, "y"], key=1, other="z")
    assert refusal(answer) == (422, "validation_failed")
    found = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert set(found) == {"first", "second", "rest[1]", "key", "more.other"}
    assert found["first"] == "is missing"
    answer = served.get(HASH, "later", a="x", c="1")
    assert refusal(answer) == (422, "validation_failed")
    assert {error["field"] for error in answer.json()["errors"]} == {"a", "c"}


def test_kinds_of_parameters(served: Api) -> None:
    """Positional-only, defaults, *args, keyword-only and **kwargs."""
    assert value(served.get(HASH, "collect", first=1)) == [1, 2, [], "k", {}]
    given = {"first": 1, "second": 3, "rest": [4, 5], "key": "x", "more": True, "other": False}
    result = [1, 3, [4.0, 5.0], "x", {"more": True, "other": False}]
    assert value(served.post(HASH, "collect", **given)) == result
    texts = {"first": "1", "second": "3", "rest": ["4", "5"], "key": "x", "more": "1", "other": "0"}
    assert value(served.get(HASH, "collect", **texts)) == result


def test_async_function(served: Api) -> None:
    assert value(served.get(HASH, "later", a=1)) == 3
    assert value(served.post(HASH, "later", a=1, b=5)) == 6


def test_no_annotations(served: Api) -> None:
    """JSON as it is; text as it is."""
    assert value(served.post(HASH, "plain", a={"n": [1.5, None]})) == [{"n": [1.5, None]}, "x"]
    assert value(served.get(HASH, "plain", a="1", b="2")) == ["1", "2"]


def test_query_and_json_together(served: Api) -> None:
    """A name may come in one of them only."""
    path = f"/function/{HASH}/later"
    assert value(served.ask("POST", path, params={"a": "1"}, json={"b": 4})) == 5
    twice = served.ask("POST", path, params={"a": "1"}, json={"a": 1})
    assert refusal(twice) == (422, "validation_failed")
    assert [error["field"] for error in twice.json()["errors"]] == ["a"]
