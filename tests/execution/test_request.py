"""parse_execute: what a body asks for, or every field that is wrong with value, limit and remedy."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import FieldError, ValidationFailed, problem
from service.execution.fields import (
    FIELDS,
    MAX_ARGUMENT_BYTES,
    MAX_ARGUMENTS,
    MIN_CPU,
    MIN_MEMORY,
    MIN_TIMEOUT,
)
from service.execution.request import parse_execute
from service.pool.job import Job
from service.settings import Settings

SETTINGS = Settings.from_env(
    {
        "LARS_TIMEOUT_MAX": "20",
        "LARS_TIMEOUT": "4",
        "LARS_CPU_MAX": "2",
        "LARS_CPU": "0.5",
        "LARS_MEMORY_MAX": "512m",
    }
)
NOW = 1000.0


def parse(body: dict[str, Any], settings: Settings = SETTINGS) -> Job:
    """With a text that is not looked at."""
    return parse_execute({"code": "pass", **body}, b"raw", settings, NOW)


def wrong(body: dict[str, Any], settings: Settings = SETTINGS) -> dict[str, FieldError]:
    """The errors by field; fails when nothing is wrong."""
    with pytest.raises(ValidationFailed) as caught:
        parse(body, settings)
    problem(caught.value)
    return {error.field: error for error in caught.value.errors}


def test_unknown_fields_are_counted_out_to_twenty() -> None:
    """A body has room for a million of them, and for a name of megabytes."""
    with pytest.raises(ValidationFailed) as caught:
        parse({f"{number}" + "x" * 1_000_000: None for number in range(30)})
    assert len(caught.value.errors) == 20
    assert {len(error.field) for error in caught.value.errors} == {100}


@pytest.mark.parametrize(
    ("field", "value"), [("code", "\ud800"), ("stdin", "\ud800"), ("argv", ["a", "\ud800"])]
)
def test_lone_surrogates_are_refused(field: str, value: object) -> None:
    assert "lone surrogate" in wrong({field: value})[field].message


def test_defaults() -> None:
    """Each from its setting; the deadline counts from now."""
    job = parse({})
    assert (job.limits.timeout, job.limits.cpu, job.limits.memory) == (4, 2, SETTINGS.memory)
    assert (job.limits.output, job.limits.file_size) == (SETTINGS.max_output_bytes, SETTINGS.scratch_bytes)
    assert (job.deadline, job.data) == (NOW + 4, None)
    program = job.program
    assert (program.code, program.argv, program.stdin, program.policy) == ("pass", (), None, "program")
    assert (program.validate, program.has_data) == (False, False)
    assert (program.max_code, program.max_result) == (SETTINGS.max_code_bytes, SETTINGS.max_result_bytes)


@pytest.mark.parametrize("name", sorted(set(FIELDS) - {"code", "data"}))
def test_null_is_the_default(name: str) -> None:
    """As leaving it out is."""
    assert parse({name: None}) == parse({})


@pytest.mark.parametrize("data", [None, 0, False, "", [], {}])
def test_any_data_is_data(data: object) -> None:
    """The text goes on as it came."""
    job = parse({"data": data})
    assert (job.data, job.program.has_data) == (b"raw", True)


def test_cpu_is_a_budget() -> None:
    """timeout x cpu_limit."""
    job = parse({"timeout": 8, "cpu_limit": 1.5})
    assert (job.limits.timeout, job.limits.cpu, job.deadline) == (8, 12, NOW + 8)


@pytest.mark.parametrize(
    ("name", "low", "high", "setting"),
    [
        ("timeout", MIN_TIMEOUT, 20, "LARS_TIMEOUT_MAX"),
        ("cpu_limit", MIN_CPU, 2, "LARS_CPU_MAX"),
        ("memory_limit", MIN_MEMORY, 512 << 20, "LARS_MEMORY_MAX"),
    ],
)
def test_bounds_are_inclusive(name: str, low: float, high: float, setting: str) -> None:
    """At the bound it is taken as it is; beyond it, refused with the bound, never clamped."""
    step = 1 if name == "memory_limit" else 0.001
    parse({name: low})
    parse({name: high})
    assert wrong({name: low - step})[name].limit == low
    above = wrong({name: high + step})[name]
    assert (above.limit, above.value) == (high, high + step)
    assert setting in above.remedy


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("code", [None, 1, ["pass"], {}, True]),
        ("timeout", ["1", True, [], {}, float("inf"), float("-inf"), 10**400]),
        ("cpu_limit", ["1", False, [], float("inf")]),
        ("memory_limit", ["", "1", "m", "-1m", "1t", "1.5g", 1.5, True, [], -1, "9" * 30, 10**30]),
        ("stdin", [1, [], {}, True]),
        (
            "argv",
            ["x", [1], [None], {}, ["\0"], ["x"] * (MAX_ARGUMENTS + 1), ["x" * (MAX_ARGUMENT_BYTES + 1)]],
        ),
        ("policy", ["Program", "plan", "", 1, [], {}, True]),
        ("validate_code", [0, 1, "true", []]),
    ],
)
def test_wrong_values(name: str, values: list[object]) -> None:
    """Each is refused under its own name, with a remedy, and can be told as a problem."""
    for value in values:
        (error,) = wrong({name: value}).values()
        assert (error.field, bool(error.remedy)) == (name, True)


def test_not_a_number() -> None:
    """NaN is below no ceiling and above no floor."""
    assert set(wrong({"timeout": float("nan"), "cpu_limit": float("nan")})) == {"timeout", "cpu_limit"}


@pytest.mark.parametrize(
    ("text", "size"),
    [("1m", 1 << 20), ("100M", 100 << 20), ("64MiB", 64 << 20), ("2097152", 2 << 20), ("4096k", 4 << 20)],
)
def test_memory_texts(text: str, size: int) -> None:
    """Docker's meaning."""
    assert parse({"memory_limit": text}).limits.memory == size


@pytest.mark.parametrize(
    ("given_name", "near"),
    [
        ("timout", "timeout"),
        ("Code", "code"),
        ("memory", "memory_limit"),
        ("cpu", "cpu_limit"),
        ("args", "argv"),
    ],
)
def test_nearest_name(given_name: str, near: str) -> None:
    """A slip is told by its likely meaning."""
    assert wrong({given_name: 1})[given_name].remedy == f"did you mean {near}?"


def test_all_errors_at_once() -> None:
    """Not the first alone."""
    body = {"timeout": 0, "stdin": 1, "argv": 2, "nonsense": 3, "memory_limit": "1k"}
    assert set(wrong(body)) == set(body)


def test_code_is_needed() -> None:
    """And it is measured in bytes of UTF-8."""
    with pytest.raises(ValidationFailed, match="code: is missing"):
        parse_execute({}, b"{}", SETTINGS, NOW)
    small = Settings.from_env({"LARS_MAX_CODE_BYTES": "1k"})
    assert parse({"code": "#" * 1024}, small).program.code
    assert wrong({"code": "é" * 513}, small)["code"].limit == 1024


def test_policy_only_tightens() -> None:
    """A server that is restricted stays so."""
    restricted = Settings.from_env({"LARS_EXECUTE_POLICY": "restricted"})
    assert parse({}, restricted).program.policy == "restricted"
    assert parse({"policy": "restricted"}, restricted).program.policy == "restricted"
    assert "tighten" in wrong({"policy": "program"}, restricted)["policy"].remedy
    assert parse({"policy": "restricted"}).program.policy == "restricted"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(sorted(FIELDS)) | st.text(string.printable, max_size=12)


def check_refusal(refused: ValidationFailed, body: dict[str, Any]) -> None:
    """It can be told, and names fields of this body only."""
    status, _, told = problem(refused)
    assert status == 422
    assert isinstance(told["errors"], list)
    assert {error.field for error in refused.errors} <= {*(name[:100] for name in body), "code"}


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_body(body: dict[str, Any]) -> None:
    """A job within every ceiling, or a problem that names fields of this body; nothing else."""
    try:
        job = parse_execute(body, b"raw", SETTINGS, NOW)
    except ValidationFailed as refused:
        check_refusal(refused, body)
        return
    limits = job.limits
    assert set(body) <= set(FIELDS)
    assert MIN_TIMEOUT <= limits.timeout <= SETTINGS.timeout_max
    assert limits.cpu <= limits.timeout * SETTINGS.cpu_max
    assert MIN_MEMORY <= limits.memory <= SETTINGS.memory_max
    assert job.deadline == NOW + limits.timeout
