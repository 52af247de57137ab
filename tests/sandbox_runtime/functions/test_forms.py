"""Every kind of annotation: what it accepts, as JSON and as text, and what it does not."""

from __future__ import annotations

import datetime
import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.functions.durations import duration_as_text, duration_from_text
from sandbox_runtime.functions.form import Mismatch, Mismatches
from sandbox_runtime.functions.names import Unresolved
from sandbox_runtime.functions.results import json_text
from tests.sandbox_runtime.functions.loaded import LIMIT, form_of

CLASSES = """
class Color(enum.Enum):
    RED = "red"
    TWO = 2
    PAIR = (1, 2)
@dataclass
class Item:
    name: str
    price: float = 1.0
    parts: list["Item"] = field(default_factory=list)
    def __post_init__(self):
        if self.price < 0: raise ValueError("a price below 0")
class Row(TypedDict):
    a: int
    b: NotRequired[str]
class Half(TypedDict, total=False):
    a: Required[int]
    b: int
class Point(NamedTuple):
    x: int
    y: int = 7
Id = NewType("Id", int)
N = TypeVar("N", bound=int)
"""
_UUID = "12345678-1234-5678-1234-567812345678"
_SIMILAR = "[1, 2]"

# annotation, JSON value -> argument
RIGHT: tuple[tuple[str, Any, Any], ...] = (
    ("int", 3, 3),
    ("int", 2**80, 2**80),
    ("float", 1, 1.0),
    ("float", -2.5, -2.5),
    ("bool", True, True),
    ("str", "", ""),
    ("bytes", "YWI=", b"ab"),
    ("bytes", "-_-_", b"\xfb\xff\xbf"),
    ("None", None, None),
    ("Any", {"a": [1]}, {"a": [1]}),
    ("object", 1, 1),
    ("Decimal", "1.10", Decimal("1.10")),
    ("Decimal", 3, Decimal(3)),
    ("Decimal", 0.1, Decimal("0.1")),
    ("datetime", "2024-02-29T10:11:12Z", datetime.datetime(2024, 2, 29, 10, 11, 12, tzinfo=datetime.UTC)),
    ("date", "2024-02-29", datetime.date(2024, 2, 29)),
    ("time", "10:11", datetime.time(10, 11)),
    ("timedelta", 90, datetime.timedelta(seconds=90)),
    ("timedelta", "P1DT2H", datetime.timedelta(days=1, hours=2)),
    ("UUID", _UUID, uuid.UUID(_UUID)),
    ("list", [1, "a"], [1, "a"]),
    ("List", [1], [1]),
    ("list[int]", [1, 2], [1, 2]),
    ("List[int]", [], []),
    ("Sequence[str]", ["a"], ["a"]),
    ("set[int]", [1, 1], {1}),
    ("frozenset[str]", ["a"], frozenset("a")),
    ("tuple", [1, "a"], (1, "a")),
    ("tuple[int, str]", [1, "a"], (1, "a")),
    ("tuple[int, ...]", [1, 2, 3], (1, 2, 3)),
    ("tuple[()]", [], ()),
    ("dict", {"a": 1}, {"a": 1}),
    ("dict[str, list[int]]", {"a": [1]}, {"a": [1]}),
    ("dict[int, bool]", {"1": True}, {1: True}),
    ("Mapping[date, int]", {"2024-01-01": 1}, {datetime.date(2024, 1, 1): 1}),
    ("Optional[int]", None, None),
    ("int | None", 4, 4),
    ("float | int", 1, 1),
    ("int | float", 1.5, 1.5),
    ("Union[date, str]", "2024-01-01", datetime.date(2024, 1, 1)),
    ("Union[date, str]", "yes", "yes"),
    ("Literal[1, 'a', None]", None, None),
    ("Annotated[int, 'a note']", 1, 1),
    ("Final[int]", 1, 1),
    ("Id", 5, 5),
    ("N", 5, 5),
    ("'int'", 5, 5),
    ("list['Optional[int]']", [None, 1], [None, 1]),
)
# annotation, JSON value, what is expected, where
WRONG: tuple[tuple[str, Any, str, str], ...] = (
    ("int", "1", "an integer", ""),
    ("int", 1.0, "an integer", ""),
    ("int", True, "an integer", ""),
    ("int", None, "an integer", ""),
    ("float", "1.5", "a number", ""),
    ("float", False, "a number", ""),
    ("float", 10**400, "a number that a float can hold", ""),
    ("bool", 1, "true or false", ""),
    ("bool", "true", "true or false", ""),
    ("str", 1, "a text", ""),
    ("bytes", "a", "base64 (RFC 4648)", ""),
    ("bytes", "Y Q==", "base64 (RFC 4648)", ""),
    ("None", 0, "null", ""),
    ("Decimal", "NaN", "a decimal number, as a text or a number", ""),
    ("Decimal", "1_0", "a decimal number, as a text or a number", ""),
    ("Decimal", True, "a decimal number, as a text or a number", ""),
    ("date", "2024-02-30", "a date as ISO 8601 writes it", ""),
    ("date", 20240101, "a date as ISO 8601 writes it", ""),
    ("datetime", "today", "a date and time as ISO 8601 writes it", ""),
    ("time", "25:00", "a time as ISO 8601 writes it", ""),
    ("timedelta", "P1Y", "seconds, or a duration as ISO 8601 writes it (P1DT2H)", ""),
    ("timedelta", 1e300, "seconds, or a duration as ISO 8601 writes it (P1DT2H)", ""),
    ("UUID", _UUID.replace("-", ""), "a UUID (RFC 9562)", ""),
    ("UUID", "{" + _UUID + "}", "a UUID (RFC 9562)", ""),
    ("list[int]", "1", "an array, each item an integer", ""),
    ("list[int]", [1, "2"], "an integer", "[1]"),
    ("list[list[int]]", [[], [1, None]], "an integer", "[1][1]"),
    ("set", [[1]], "items that can be in a set", ""),
    ("tuple[int, str]", [1], "an array of 2: an integer, a text", ""),
    ("dict[str, int]", [], "an object, each member an integer", ""),
    ("dict[str, int]", {"a": 1, "b": "2"}, "an integer", "['b']"),
    ("dict[int, int]", {"x": 1}, "an integer", "['x']"),
    ("dict[int, int]", {"1": 1, "+1": 1}, "members whose names stand for different keys", ""),
    ("Optional[int]", "1", "an integer or null", ""),
    ("Literal[1, 'a']", 1.0, "one of 1, a", ""),
    ("Literal[1]", True, "one of 1", ""),
    ("Color", "RED", "one of red, 2, PAIR", ""),
    ("Color", [], "one of red, 2, PAIR", ""),
    ("Item", {}, "a text", ".name"),
    ("Item", {"name": "a", "cost": 1}, "one of name, price, parts", ".cost"),
    ("Item", {"name": "a", "pric": 1}, "price?", ".pric"),
    ("Item", {"name": "a", "price": -1}, "an object (Item)", ""),
    ("Item", {"name": "a", "parts": [{"name": 1}]}, "a text", ".parts[0].name"),
    ("Optional[Item]", {"name": 1}, "a text", ".name"),
    ("Item", [], "an object (Item)", ""),
    ("Row", {"b": "x"}, "an integer", ".a"),
    ("Half", {"b": 1}, "an integer", ".a"),
    ("Point", [], "an integer", ".x"),
    ("Point", [1, 2, 3], "an object (Point)", ""),
)
# annotation, text or texts of a query -> argument
TEXTS: tuple[tuple[str, Any, Any], ...] = (
    ("int", "-12", -12),
    ("float", "1e3", 1000.0),
    ("float", ".5", 0.5),
    ("bool", "1", True),
    ("bool", "false", False),
    ("str", "1", "1"),
    ("Any", "1", "1"),
    ("None", "", None),
    ("bytes", "YWI=", b"ab"),
    ("Decimal", "1.10", Decimal("1.10")),
    ("timedelta", "1.5", datetime.timedelta(seconds=1.5)),
    ("int | None", "null", None),
    ("str | int", "5", 5),
    ("Optional[str]", "x", "x"),
    ("Literal[1, 'a', True]", "true", True),
    ("list[int]", ["1", "2"], [1, 2]),
    ("list[int]", "1", [1]),
    ("list[int]", _SIMILAR, [1, 2]),
    ("set[str]", ["a", "a"], {"a"}),
    ("tuple[int, str]", ["1", "a"], (1, "a")),
    ("Optional[list[int]]", ["1"], [1]),
    ("dict[str, int]", '{"a": 1}', {"a": 1}),
    ("Any", ["a", "b"], ["a", "b"]),
)
WRONG_TEXTS: tuple[tuple[str, Any], ...] = (
    ("int", "1.5"),
    ("int", "1_000"),
    ("int", " 1"),
    ("int", "\N{ARABIC-INDIC DIGIT ONE}"),
    ("int", ""),
    ("int", "9" * 5000),
    ("int", ["1", "2"]),
    ("float", "nan"),
    ("float", "inf"),
    ("float", "1e999"),
    ("float", "0x10"),
    ("bool", "yes"),
    ("bool", "True"),
    ("bool", "2"),
    ("None", "none"),
    ("list[int]", ["1", "x"]),
    ("list[int]", "[1"),
    ("tuple[int, str]", ["1"]),
    ("dict", "a=1"),
    ("Item", "x"),
    ("Literal[1]", "2"),
    ("str", ["a", "b"]),
)
NOT_USABLE = (
    "Callable[[int], int]",
    "type",
    "asyncio.Lock",
    "Literal[b'x']",
    "'nothing_of_that_name'",
    "'int('",
    "''",
    "'__import__(\"os\").getpid()'",
    "'[int]'",
    "'int.__class__'",
    "'datetime.sys.modules'",
    "'(lambda: int)()'",
    "'list[__import__(\"os\")]'",
    "'print'",
    "'" + "(" * 300 + ")" * 300 + "'",
    "'" + "x" * 2000 + "'",
    "'Literal[int]'",
    "list['Bad']",
)


def text_of(form: Any, given: Any) -> Any:
    return form.from_texts(given) if isinstance(given, list) else form.from_text(given)


@pytest.mark.parametrize(("annotation", "value", "argument"), RIGHT)
def test_json_that_fits(annotation: str, value: Any, argument: Any) -> None:
    found = form_of(annotation, CLASSES).from_json(value)
    assert (found, type(found)) == (argument, type(argument))


@pytest.mark.parametrize(("annotation", "value", "expected", "where"), WRONG)
def test_json_that_does_not_fit(annotation: str, value: Any, expected: str, where: str) -> None:
    found: tuple[Mismatch, ...] = ()
    try:
        form_of(annotation, CLASSES).from_json(value)
    except Mismatch as error:
        found = (error,)
    except Mismatches as errors:
        found = errors.found
    assert [(each.expected, each.where) for each in found] == [(expected, where)]


@pytest.mark.parametrize(("annotation", "given", "argument"), TEXTS)
def test_text_that_fits(annotation: str, given: Any, argument: Any) -> None:
    found = text_of(form_of(annotation, CLASSES), given)
    assert (found, type(found)) == (argument, type(argument))


@pytest.mark.parametrize(("annotation", "given"), WRONG_TEXTS)
def test_text_that_does_not_fit(annotation: str, given: Any) -> None:
    with pytest.raises((Mismatch, Mismatches)):
        text_of(form_of(annotation, CLASSES), given)


@pytest.mark.parametrize("annotation", NOT_USABLE)
def test_an_annotation_that_no_argument_can_be_made_of(annotation: str) -> None:
    with pytest.raises(Unresolved):
        form_of(annotation, CLASSES)


def test_records_are_made() -> None:
    item = form_of("Item", CLASSES).from_json({"name": "a", "parts": [{"name": "b", "price": 2}]})
    assert (item.name, item.price, item.parts[0].price) == ("a", 1.0, 2.0)
    assert form_of("Row", CLASSES).from_json({"a": 1}) == {"a": 1}
    point = form_of("Point", CLASSES)
    assert (point.from_json([1]), point.from_json({"x": 1, "y": 2})) == ((1, 7), (1, 2))
    color = form_of("Color", CLASSES)
    assert [color.from_json(value).name for value in ("red", 2, "PAIR")] == ["RED", "TWO", "PAIR"]


def test_all_that_is_wrong_is_found_at_once_up_to_a_bound() -> None:
    with pytest.raises(Mismatches) as caught:
        form_of("list[int]").from_json(["x"] * 100)
    assert [each.where for each in caught.value.found] == [f"[{n}]" for n in range(20)]


def test_a_schema_holds_what_it_refers_to_and_is_json() -> None:
    definitions: dict[str, Any] = {}
    schema = form_of("dict[str, tuple[Item, Color] | Row | Point]", CLASSES).schema(definitions)
    assert sorted(definitions) == ["Item", "Point", "Row"]
    assert definitions["Item"]["properties"]["parts"]["items"] == {"$ref": "#/$defs/Item"}
    assert json.loads(json.dumps(schema)) == schema


# -- round trips -----------------------------------------------------------------------------------------

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "str": _TEXT,
    "bytes": st.binary(max_size=20),
    "Decimal": st.decimals(allow_nan=False, allow_infinity=False),
    "date": st.dates(),
    "datetime": st.datetimes(timezones=st.none() | st.just(datetime.UTC)),
    "time": st.times(),
    "timedelta": st.timedeltas(),
    "UUID": st.uuids(),
    "None": st.none(),
}


def _nested(inner: st.SearchStrategy[tuple[str, Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    return (
        inner.map(lambda pair: (f"list[{pair[0]}]", [pair[1], pair[1]]))
        | inner.map(lambda pair: (f"tuple[{pair[0]}, ...]", (pair[1],)))
        | inner.map(lambda pair: (f"dict[str, {pair[0]}]", {"k": pair[1]}))
        | st.tuples(inner, inner).map(
            lambda two: (f"tuple[{two[0][0]}, {two[1][0]}]", (two[0][1], two[1][1]))
        )
    )


_PAIRS = st.recursive(
    st.sampled_from(sorted(_VALUES)).flatmap(lambda name: st.tuples(st.just(name), _VALUES[name])),
    _nested,
    max_leaves=4,
)


@given(_PAIRS)
def test_what_is_returned_is_taken_as_an_argument_again(pair: tuple[str, Any]) -> None:
    annotation, value = pair
    text = json_text(value, LIMIT)
    assert form_of(annotation).from_json(json.loads(text)) == value


@given(st.sampled_from(sorted(set(_VALUES) - {"str"})).flatmap(lambda n: st.tuples(st.just(n), _VALUES[n])))
def test_a_query_may_say_what_json_says(pair: tuple[str, Any]) -> None:
    annotation, value = pair
    written = json.loads(json_text(value, LIMIT))
    text = written if isinstance(written, str) else json.dumps(written)
    assert form_of(annotation).from_text(text) == value


@given(st.timedeltas())
def test_durations_are_written_as_they_are_read(value: datetime.timedelta) -> None:
    assert duration_from_text(duration_as_text(value)) == value


@given(
    st.sampled_from([row[0] for row in RIGHT]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
        max_leaves=6,
    ),
)
def test_any_json_fits_or_is_said_not_to(annotation: str, value: Any) -> None:
    """Nothing else is ever raised."""
    form = form_of(annotation, CLASSES)
    for given_value, convert in ((value, form.from_json), (str(value), form.from_text)):
        try:
            convert(given_value)
        except (Mismatch, Mismatches):
            continue
