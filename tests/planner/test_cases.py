"""Calls that a model has thought of: kept as they were written, or not at all."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest

from sandbox_runtime import wire
from sandbox_runtime.planner.cases import MAX_CASES, MAX_CASES_BYTES, cases_of
from sandbox_runtime.planner.replies import output_of
from sandbox_runtime.planning import Answer

ONE = {"arguments": {"n": 1}, "result": 2}
BEYOND_FLOATS = ("9" * 5000, "1e999")
CODE = "def f(n):\n    return n\n"


def _reply(cases: str) -> str:
    """With the cases as they stand in JSON."""
    return f'{{"code": {json.dumps(CODE)}, "assessment": "ok", "cases": {cases}}}'


def _both(array: str) -> list[Any]:
    """What is found where the array stands in the reply, which is the same as where its text does; as a front
    has it."""
    answers = [output_of("improve", _reply(cases)) for cases in (array, json.dumps(array))]
    assert answers[0] == answers[1]
    answer = wire.encode_json(wire.Kind.ANSWER, Answer(1, answers[0]))
    (frame,) = wire.Decoder({wire.Kind.ANSWER: 1 << 20}).feed(answer)
    output = Answer.from_wire(wire.decode_object(frame)).output
    assert output is not None
    assert output == answers[0]
    cases: list[Any] = output["cases"]
    return cases


@pytest.mark.parametrize(
    ("array", "cases"),
    [
        ("[]", []),
        ('[{"arguments": {"n": 1}, "result": 2}]', [ONE]),
        ('[{"arguments": {}}]', [{"arguments": {}}]),
        ('[{"arguments": {}, "result": null}]', [{"arguments": {}, "result": None}]),
        ('[{"arguments": {}, "result": 1, "error": "x", "why": []}]', [{"arguments": {}, "result": 1}]),
        ('[1, null, "x", [], {}, {"arguments": []}, {"arguments": null}, {"result": 2}]', []),
        ('[{"arguments": {"n": 1}, "result": 2}, 3, {"arguments": {"s": "é\\u0000"}}]',
         [ONE, {"arguments": {"s": "é\0"}}]),
        ('[{"arguments": {"n": 1.0}, "result": 0.1}]', [{"arguments": {"n": 1.0}, "result": 0.1}]),
    ],
)  # fmt: skip
def test_what_is_kept(array: str, cases: list[Any]) -> None:
    """Objects with arguments, and of them two members; no result is another thing than null."""
    assert _both(array) == cases
    assert [list(case) for case in _both(array)] == [list(case) for case in cases]


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 0])
def test_integers_of_64_bits_arrive(number: int) -> None:
    """Each as it is."""
    (case,) = _both(f'[{{"arguments": {{"n": {number}}}, "result": [{number}]}}]')
    assert case == {"arguments": {"n": number}, "result": [number]}
    assert type(case["arguments"]["n"]) is int


@pytest.mark.parametrize(
    "value",
    [
        str(2**64),
        str(-(2**63) - 1),
        *BEYOND_FLOATS,
        f"[{{\"a\": {10**30}}}]",
        "[" * 300 + "]" * 300,
    ],
    ids=lambda value: value[:20],
)  # fmt: skip
def test_what_would_arrive_as_something_else_is_dropped(value: str) -> None:
    """That case and no other, wherever the value is."""
    good = '{"arguments": {"n": 1}, "result": 2}'
    for bad in (f'{{"arguments": {{"n": {value}}}}}', f'{{"arguments": {{}}, "result": {value}}}'):
        text = json.dumps(f"[{bad}, {good}]")
        output = output_of("improve", _reply(text))
        assert output is not None
        assert (output["code"], output["cases"]) == (CODE, [ONE])
        orjson.dumps(output)
    if value not in BEYOND_FLOATS:  # with which no reader takes the reply itself
        assert _both(f'[{{"arguments": {{"n": {value}}}}}, {good}]') == [ONE]


def test_deep_cases_are_kept_while_they_can_be_sent() -> None:
    """Up to the depth that an answer can have, and no deeper."""
    kept = [bool(_both(f'[{{"arguments": {{"n": {"[" * deep}{"]" * deep}}}}}]')) for deep in range(240, 260)]
    assert kept == sorted(kept, reverse=True)
    assert set(kept) == {True, False}


@pytest.mark.parametrize("value", ["NaN", "-Infinity", '"\\ud800"', '{"\\ud800": 1}'])
def test_what_is_no_json_is_dropped(value: str) -> None:
    """The standard parser reads it, and nobody else."""
    text = f'[{{"arguments": {{"n": {value}}}}}, {{"arguments": {{"n": 1}}, "result": 2}}]'
    assert cases_of(text) == [ONE]


@pytest.mark.parametrize(
    "cases",
    [
        "null",
        "1",
        "true",
        '""',
        '"[]"',
        '"none"',
        '"[{\\"arguments\\": {}"',
        '{"arguments": {}}',
        json.dumps("[" * 100_000),
        json.dumps('{"arguments":' * 20_000),
    ],
    ids=lambda cases: cases[:20],
)
def test_broken_cases_cost_nothing_else(cases: str) -> None:
    """The module is of use without them."""
    assert output_of("improve", _reply(cases)) == {"code": CODE, "assessment": "ok", "cases": []}


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```\n"])
def test_cases_in_a_fence(fence: str) -> None:
    """Within the text, as models write them."""
    text = json.dumps(fence.format(orjson.dumps([ONE]).decode()))
    assert (output_of("improve", _reply(text)) or {})["cases"] == [ONE]


@pytest.mark.parametrize("around", ["{}", "```json\n{}\n```", "Here it is:\n\n{}\n\nHave fun."])
def test_large_integers_wherever_the_reply_stands(around: str) -> None:
    """None is made a float on the way."""
    array = f'[{{"arguments": {{"n": {10**20}}}}}, {{"arguments": {{"n": 1}}, "result": 2}}]'
    assert (output_of("improve", around.format(_reply(array))) or {})["cases"] == [ONE]


def test_no_more_than_so_many() -> None:
    """The first ones."""
    cases = [{"arguments": {"n": n}} for n in range(MAX_CASES + 5)]
    assert cases_of(cases) == cases[:MAX_CASES]


def test_no_more_than_so_many_bytes() -> None:
    """Of JSON; what does not fit is left out, and what comes after it is not."""
    empty = len(orjson.dumps({"arguments": {"s": ""}}))
    fits = {"arguments": {"s": "x" * (MAX_CASES_BYTES - empty)}}
    assert cases_of([fits]) == [fits]
    assert cases_of([{"arguments": {"s": fits["arguments"]["s"] + "x"}}, ONE]) == [ONE]
    assert cases_of([ONE, fits, ONE]) == [ONE, ONE]
    escaped = {"arguments": {"s": "\x01" * 20_000}}
    assert cases_of([escaped, ONE]) == [ONE]


def test_many_cases_take_no_time() -> None:
    """As many as a reply can hold, each refused."""
    reply = _reply("[" + ",".join(['{"arguments":{"n":1e5,"m":99999999999999999999}}'] * 6000) + "]")
    began = time.process_time()
    assert output_of("improve", reply) == {"code": CODE, "assessment": "ok", "cases": []}
    assert time.process_time() - began < 1
