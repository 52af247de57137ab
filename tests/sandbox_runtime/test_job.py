"""Limits, Program and Report over the wire: the exact round trip, and a WireError for everything else."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.job import MAX_TEXT, ExceptionInfo, Limits, Program, Refusal, Report
from sandbox_runtime.wire import WireError
from tests.sandbox_runtime.test_wire import JSON_VALUES

FULL = Report(
    end="exception",
    exit_code=1,
    exception=ExceptionInfo("ValueError", "no", 3, "Traceback ..."),
    refusal=Refusal("import", "no", 1, None, "do not"),
    findings="[]",
    result_repr="<object>",
    warnings=("a", "b"),
    detail="why",
    bind=0.001,
    run=1.5,
    cpu=1.0,
    memory_peak=1 << 20,
)
PROGRAM = Program("print(1)", ("a", "b"), "in", "restricted", validate=True, has_data=True)


def sent(value: object) -> dict[str, Any]:
    """What the other side reads."""
    body = orjson.loads(orjson.dumps(value))
    assert isinstance(body, dict)
    return body


def test_values_come_out_as_they_went_in() -> None:
    limits = Limits(memory=1 << 30, cpu=3, file_size=1)
    assert Limits.from_wire(sent(limits)) == limits
    assert Limits.from_wire(sent(Limits(1, 1, 1, niceness=19))).niceness == 19
    assert Program.from_wire(sent(PROGRAM)) == PROGRAM
    assert Report.from_wire(sent(FULL)) == FULL
    assert Report.from_wire(sent(Report("ok", 0))) == Report("ok", 0)


@pytest.mark.parametrize("name", ["memory", "cpu", "file_size"])
@pytest.mark.parametrize("wrong", [0, -1, True, None, "1", 1.0, [], {}])
def test_a_limit_is_a_positive_integer(name: str, wrong: object) -> None:
    body = {"memory": 1, "cpu": 1, "file_size": 1, "niceness": 0} | {name: wrong}
    with pytest.raises(WireError) as caught:
        Limits.from_wire(body)
    assert str(caught.value) == f"BIND: {name} is {wrong!r}, expected a positive integer"


@pytest.mark.parametrize("wrong", [-1, 20, True, None, "1", 1.0])
def test_a_niceness_is_one_that_anybody_may_take(wrong: object) -> None:
    with pytest.raises(WireError) as caught:
        Limits.from_wire({"memory": 1, "cpu": 1, "file_size": 1, "niceness": wrong})
    assert str(caught.value) == f"BIND: niceness is {wrong!r}, expected an integer from 0 to 19"


@given(st.dictionaries(st.sampled_from(["memory", "cpu", "file_size", "niceness", "x"]), JSON_VALUES))
def test_arbitrary_json_is_limits_or_a_wire_error(body: dict[str, Any]) -> None:
    try:
        limits = Limits.from_wire(body)
    except WireError:
        return
    assert min(limits.memory, limits.cpu, limits.file_size) > 0


@given(st.dictionaries(st.sampled_from([*Program.__slots__, "x"]), JSON_VALUES))
def test_arbitrary_json_is_a_program_or_a_wire_error(body: dict[str, Any]) -> None:
    try:
        program = Program.from_wire(body)
    except WireError:
        return
    assert set(body) <= set(Program.__slots__)
    assert program.code == body["code"]


@given(st.fixed_dictionaries({}, optional=dict.fromkeys((*Report.__slots__, "x"), JSON_VALUES)))
def test_arbitrary_json_is_a_report_or_a_wire_error(body: dict[str, Any]) -> None:
    with pytest.raises(WireError, match=r"^DONE: "):
        # Without an end of the list nothing is a report, and arbitrary JSON does not hit upon one.
        Report.from_wire(body)


@given(st.sampled_from(sorted(Report.__slots__)), JSON_VALUES)
def test_a_good_report_with_one_arbitrary_member_is_a_report_or_a_wire_error(name: str, value: Any) -> None:
    try:
        report = Report.from_wire(sent(FULL) | {name: value})
    except WireError:
        return
    shown = json.loads(json.dumps(sent(report)[name]))
    assert shown == value or (isinstance(value, str) and value.startswith(shown))


@pytest.mark.parametrize("part", ["exception", "refusal"])
@given(data=st.data())
def test_arbitrary_members_inside_a_part_are_a_report_or_a_wire_error(part: str, data: st.DataObject) -> None:
    good = sent(FULL)
    name = data.draw(st.sampled_from([*good[part], "x"]))
    value = data.draw(JSON_VALUES)
    try:
        report = Report.from_wire(good | {part: good[part] | {name: value}})
    except WireError:
        return
    assert sent(report)[part][name] == value


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("end", "fine", "DONE: end is 'fine'"),
        ("end", ["ok"], "DONE: end is ['ok']"),
        ("exit_code", 256, "DONE: exit_code is 256, expected an integer from 0 to 255"),
        ("exit_code", True, "DONE: exit_code is True, expected an integer from 0 to 255"),
        ("exit_code", -1, "DONE: exit_code is -1, expected an integer from 0 to 255"),
        ("cpu", -0.1, "DONE: cpu is -0.1, expected seconds"),
        ("run", 1e9, "DONE: run is 1000000000.0, expected seconds"),
        ("bind", "1", "DONE: bind is '1', expected seconds"),
        ("memory_peak", 1 << 63, f"DONE: memory_peak is {1 << 63}, expected an integer from 0 to {1 << 62}"),
        ("warnings", None, "DONE: warnings is not a short list"),
        ("warnings", ["w"] * 21, "DONE: warnings is not a short list"),
        ("warnings", [None], "DONE: warnings is missing"),
        ("detail", {}, "DONE: detail is dict, expected a string"),
        ("exception", {}, "DONE: exception does not have the members type, message, line, traceback"),
        ("refusal", [], "DONE: refusal does not have the members rule, message, line, column, remedy"),
        ("extra", 1, "DONE: unknown member 'extra'"),
    ],
)
def test_a_wrong_member_is_named(name: str, wrong: object, said: str) -> None:
    with pytest.raises(WireError) as caught:
        Report.from_wire(sent(FULL) | {name: wrong})
    assert str(caught.value) == said


def test_what_a_refusal_repeats_of_a_hostile_report_is_short() -> None:
    with pytest.raises(WireError) as caught:
        Report.from_wire(sent(FULL) | {"end": "x" * 200_000})
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("name", ["detail", "findings", "result_repr"])
def test_long_texts_are_cut(name: str) -> None:
    report = Report.from_wire(sent(FULL) | {name: "x" * (MAX_TEXT + 1)})
    assert getattr(report, name) == "x" * MAX_TEXT
