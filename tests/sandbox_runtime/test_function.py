"""What a contract's worker says is taken when it has its form, and refused when it has not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.function import (
    MAX_TEXT,
    Fault,
    Inspection,
    Outcome,
    Parameter,
    Signature,
    WrongArgument,
)
from sandbox_runtime.job import Refusal
from sandbox_runtime.wire import WireError

FAULT = Fault("KeyError", "'x'", 3, "x")
WRONG = WrongArgument("x", "does not fit", "an integer", "'1'")
PARAMETER = Parameter("x", "either", {"type": "integer"}, False, 1, "int")
SIGNATURE = Signature((PARAMETER,), {"$ref": "#/$defs/A"}, "Doc.", 1, True)
ANSWERS: tuple[Outcome | Inspection, ...] = (
    Outcome("ok", run=0.5),
    Outcome("function_error", FAULT, last=True),
    Outcome("caller_error", wrong=(WRONG, WRONG)),
    Inspection(SIGNATURE),
    Inspection(refusal=Refusal("import", "no", 1, 2, "drop it")),
    Inspection(error=FAULT, names=("f", "g")),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
# A member with its way, and what it must not be.
BENT: tuple[tuple[Outcome | Inspection, tuple[str | int, ...], Any], ...] = (
    (ANSWERS[0], ("end",), "fine"),
    (ANSWERS[0], ("end",), ["ok"]),
    (ANSWERS[0], ("end",), "function_error"),
    (ANSWERS[0], ("run",), True),
    (ANSWERS[0], ("run",), -0.1),
    (ANSWERS[0], ("more",), 1),
    (ANSWERS[1], ("error",), None),
    (ANSWERS[1], ("error", "line"), "3"),
    (ANSWERS[1], ("error", "line"), True),
    (ANSWERS[1], ("error", "message"), 3),
    (ANSWERS[2], ("wrong",), []),
    (ANSWERS[2], ("wrong",), [asdict(WRONG)] * 51),
    (ANSWERS[2], ("wrong", 0, "got"), 1),
    (ANSWERS[3], ("signature",), None),
    (ANSWERS[3], ("error",), asdict(FAULT)),
    (ANSWERS[3], ("signature", "parameters"), [asdict(PARAMETER)] * 257),
    (ANSWERS[3], ("signature", "parameters", 0, "kind"), "any"),
    (ANSWERS[3], ("signature", "parameters", 0, "schema"), []),
    (ANSWERS[3], ("signature", "parameters", 0, "default"), orjson.loads(b"[" * 900 + b"]" * 900)),
    (ANSWERS[3], ("signature", "returns"), orjson.loads(b'{"a":' * 900 + b"1" + b"}" * 900)),
    (ANSWERS[4], ("refusal", "column"), -1),
    (ANSWERS[5], ("names",), "f"),
    (ANSWERS[5], ("names",), ["f"] * 1001),
)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_crosses_the_wire(answer: Outcome | Inspection) -> None:
    assert type(answer).from_wire(orjson.loads(orjson.dumps(answer))) == answer


@pytest.mark.parametrize(("answer", "way", "value"), BENT)
def test_an_answer_of_another_form_is_refused(
    answer: Outcome | Inspection, way: tuple[str | int, ...], value: Any
) -> None:
    body: Any = orjson.loads(orjson.dumps(answer))
    part = body
    for step in way[:-1]:
        part = part[step]
    part[way[-1]] = value
    with pytest.raises(WireError):
        type(answer).from_wire(body)


def test_long_texts_are_cut() -> None:
    long = orjson.loads(orjson.dumps(Outcome("function_error", Fault("E", "x" * 9999))))
    error = Outcome.from_wire(long).error
    assert error is not None
    assert len(error.message) == MAX_TEXT


@given(st.sampled_from(ANSWERS), st.data())
def test_whatever_is_said_is_read_or_refused(answer: Outcome | Inspection, data: st.DataObject) -> None:
    """Nothing but WireError is ever raised."""
    body = orjson.loads(orjson.dumps(answer))
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(JSON)
    try:
        type(answer).from_wire(body)
    except WireError:
        return
