"""encode_result: exact JSON, or null with a repr and a reason. Nothing in between, never an exception."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.result import MAX_REPR, Encoded, encode_result, safe_repr
from sandbox_runtime.wire import check_json

LIMIT = 1 << 20


def encoded(value: object, limit: int = LIMIT) -> Encoded:
    """With the invariants that hold for every value."""
    outcome = encode_result(value, limit)
    assert (outcome.text is None) == (outcome.representation is not None) == bool(outcome.warnings)
    if outcome.text is None:
        assert all(w.startswith("result is not JSON: ") and "\n" not in w for w in outcome.warnings)
        assert len(outcome.representation or "") <= MAX_REPR
        orjson.dumps([outcome.representation, list(outcome.warnings)])
    else:
        check_json(outcome.text)
    return outcome


_POINT = collections.namedtuple("_POINT", "x y")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    SCALARS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


@given(JSON)
def test_json_comes_back_as_it_was(value: Any) -> None:
    """Integers of any size and the sign of zero included."""
    text = encoded(value).text
    assert text is not None
    assert repr(json.loads(text)) == repr(value)


@given(JSON)
def test_the_limit_is_exact(value: Any) -> None:
    """What has as many bytes as allowed passes, with one byte more it is refused."""
    size = len(encoded(value).text or b"")
    assert encoded(value, size).text is not None
    assert encoded(value, size - 1).text is None


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_a_value_that_is_small_and_whose_json_is_huge(kind: type) -> None:
    """Refused without being made: 2 to the power of 60 items."""
    value: Any = [1]
    for _ in range(60):
        value = {"a": value, "b": value} if kind is dict else kind((value, value))
    assert "its JSON has at least 10" in encoded(value).warnings[0]


@given(st.integers(min_value=-(10**4000), max_value=10**4000))
def test_integers_are_exact(number: int) -> None:
    """Also those that no 64-bit type holds."""
    assert encoded([number]).text == b"[%d]" % number


EVERYTHING = st.recursive(
    SCALARS
    | st.text()
    | st.binary(max_size=5)
    | st.floats()
    | st.complex_numbers()
    | st.decimals()
    | st.dates()
    | st.just(object())
    | st.sampled_from([math.nan, math.inf, print, int, Ellipsis, NotImplemented]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(
            SCALARS | st.text(max_size=3) | st.dates() | st.tuples(st.integers()), inner, max_size=4
        )
    ),
    max_leaves=15,
)


@given(EVERYTHING)
def test_never_raises(value: Any) -> None:
    """What comes out is what json.loads(json.dumps()) makes, or nothing."""
    outcome = encoded(value)
    if outcome.text is not None:
        assert json.loads(outcome.text) == json.loads(json.dumps(value))


class _Text(str):
    __slots__ = ()


class _Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, b"null"),
        ([None, "null"], b'[null,"null"]'),
        ((1, (2,)), b"[1,[2]]"),
        ({1: "a", None: "b", 2: "c"}, b'{"1":"a","null":"b","2":"c"}'),
        ({1.5: 1, False: 2}, b'{"1.5":1,"false":2}'),
        (_Text("é"), b'"\\u00e9"'),
        (_Number.ONE, b"1"),
        (collections.OrderedDict(b=1, a=2), b'{"b":1,"a":2}'),
        (_POINT(1, 2), b"[1,2]"),
        (2**64, b"18446744073709551616"),
        (-(2**63) - 1, b"-9223372036854775809"),
        (-0.0, b"-0.0"),
        ("\x00\u2028😀", '"\\u0000\u2028😀"'.encode()),
    ],
)
def test_conversions(value: object, text: bytes) -> None:
    """Those of the standard library's json."""
    assert json.loads(encoded(value).text or b"0") == json.loads(text)


CYCLE: list[object] = []
CYCLE.append(CYCLE)
CYCLIC_DICT: dict[str, object] = {}
CYCLIC_DICT["self"] = CYCLIC_DICT


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "Out of range float values"),
        ([1, {"a": -math.inf}], "Out of range float values"),
        ({math.nan: 1}, "Out of range float values"),
        ({1, 2}, "set"),
        (b"bytes", "bytes"),
        (decimal.Decimal("1.1"), "Decimal"),
        (datetime.date(2024, 1, 1), "date"),
        (1j, "complex"),
        ({(1, 2): 3}, "keys must be"),
        ({1: "a", "1": "b"}, "two keys"),
        ([{True: 1, "true": 2}], "two keys"),
        ({None: 1, "null": 2}, "two keys"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        (CYCLE, "circular"),
        (CYCLIC_DICT, "circular"),
        (_nested(5000), "nested too deeply"),
        (10**5000, "4300 digits"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else "value",
)
def test_refusals(value: object, reason: str) -> None:
    """The warning says why."""
    outcome = encoded(value)
    assert outcome.text is None
    assert reason.lower() in outcome.warnings[0].lower()


def test_limit_is_exact() -> None:
    """A text of just the limit passes, one byte more does not and the limit is named."""
    assert encoded("x" * 98, 100).text == b'"' + b"x" * 98 + b'"'
    over = encoded("x" * 99, 100)
    assert over.text is None
    assert "101 bytes, the limit is 100 (LARS_MAX_RESULT_BYTES)" in over.warnings[0]


class _Liar(dict[str, object]):
    def items(self) -> Any:
        raise SystemExit(3)

    def __iter__(self) -> Iterator[str]:
        raise KeyboardInterrupt


class _Loud:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


@pytest.mark.parametrize(
    "error", [ValueError(), SystemExit(9), KeyboardInterrupt(), MemoryError(), RecursionError()]
)
def test_repr_that_raises(error: BaseException) -> None:
    """Its type is told; nothing escapes."""
    representation = encoded(_Loud(error)).representation or ""
    assert "_Loud" in representation


def test_repr_of_wrong_type() -> None:
    """repr() itself refuses it."""

    class Wrong:
        def __repr__(self) -> str:
            return 1  # type: ignore[return-value]

    assert "Wrong" in safe_repr(Wrong())


def test_hostile_containers() -> None:
    """A dict whose methods raise SystemExit ends nothing."""
    encoded(_Liar(a=1))
    encoded([_Liar(a=2**70)])


@pytest.mark.parametrize(
    "value", ["x" * 10**6, [1] * 10**6 + [{1}], {n: {n} for n in range(10**5)}, {10**4299: 1j}], ids=range(4)
)
def test_repr_is_bounded(value: object) -> None:
    """However large the value."""
    assert len(safe_repr(value)) <= MAX_REPR


def test_digit_limit_lifted() -> None:
    """A program that lifts the interpreter's digit limit gets its number out."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        assert encoded(10**5000).text == b"1" + b"0" * 5000
    finally:
        sys.set_int_max_str_digits(before)
