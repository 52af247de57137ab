"""What a body of POST /generate-and-execute asks for, and what a reply says of the model. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.planning import ModelCall
from service.errors import ValidationFailed
from service.execution.fields import FIELDS as EXECUTE_FIELDS
from service.generation.draft import draft_of
from service.generation.request import FIELDS, MAX_QUERY, MAX_REPAIRS, Wanted, parse_generate
from service.generation.response import model_of
from service.planning.planning import BadReply
from service.settings import Settings
from tests.generation.scripted_planner import CALL

SETTINGS = Settings.from_env({"LARS_TIMEOUT": "4", "LARS_EXECUTE_POLICY": "restricted"})


def parse(body: dict[str, Any]) -> Wanted:
    return parse_generate(body, b"raw", SETTINGS, 1000.0)


def test_fields_are_those_of_execute() -> None:
    """The same rows, but for who writes the program."""
    shared = {name: field for name, field in EXECUTE_FIELDS.items() if name not in ("code", "validate_code")}
    assert {name: FIELDS[name] for name in shared} == shared
    assert set(FIELDS) - set(shared) == {"query", "max_repairs"}


def test_defaults() -> None:
    """Those of the server, whose policy the model is told."""
    wanted = parse({"query": "x", "max_repairs": None, "timeout": None})
    assert (wanted.max_repairs, wanted.job.limits.timeout, wanted.job.data) == (0, 4.0, None)
    assert wanted.given == {"query": "x", "policy": "restricted", "data": None}
    assert (wanted.job.program.code, wanted.job.program.validate) == ("", False)


def test_data_that_is_null_is_data() -> None:
    wanted = parse({"query": "x", "data": None})
    assert (wanted.given["data"], wanted.job.data, wanted.job.program.has_data) == ("null", b"raw", True)


def names_its_fields(refused: ValidationFailed, body: dict[str, Any]) -> None:
    """And no others, but for the one that must be there."""
    assert {error.field for error in refused.errors} <= {*body, "query"}


ANY = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=9) | st.just([1])


@given(st.dictionaries(st.sampled_from([*FIELDS, "code", "x"]), ANY))
def test_any_body(body: dict[str, Any]) -> None:
    """Something within the bounds, or a problem that names fields."""
    try:
        wanted = parse(body)
    except ValidationFailed as refused:
        names_its_fields(refused, body)
        return
    assert 0 < len(wanted.query) <= MAX_QUERY
    assert 0 <= wanted.max_repairs <= MAX_REPAIRS
    assert set(body) <= set(FIELDS)


FAILED = replace(CALL, outcome="llm_failed", provider="anthropic", model="model-2", output_tokens=0)


@pytest.mark.parametrize(
    ("calls", "model", "cost"),
    [
        ([], None, 0),
        ([FAILED], None, 0.001),
        ([FAILED, CALL], "model-1", 0.002),
        ([CALL, FAILED], "model-1", 0.002),
        ([CALL, replace(FAILED, cost=None)], "model-1", None),
    ],
)
def test_what_is_said_of_the_model(calls: list[ModelCall], model: str | None, cost: float | None) -> None:
    """The one that answered; a sum that would be wrong is not told."""
    said = model_of(calls, 3)
    assert (said["model"], said["cost_usd"], said["calls"], said["repairs"]) == (model, cost, len(calls), 3)
    assert said["input_tokens"] == 100 * len(calls)


@pytest.mark.parametrize("output", [{}, {"code": None}, {"code": " \n"}, {"code": 1}, {"code": ["x"]}])
def test_output_without_a_program(output: dict[str, Any]) -> None:
    with pytest.raises(BadReply, match="no program"):
        draft_of(output)


@pytest.mark.parametrize("assessment", [None, 1, " ", ["x"]])
def test_output_without_an_assessment(assessment: object) -> None:
    assert draft_of({"code": "pass", "assessment": assessment}).assessment == ""
