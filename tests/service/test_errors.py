"""The error tree, its table and its documentation agree with each other."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_runtime.planning import FAILURES
from sandbox_runtime.session_operations import errors as _operation_errors  # noqa: F401 - its classes join the tree
from sandbox_runtime.store.errors import StoreError
from service import errors
from service.error_docs import ADVICE, PLANNER_ADVICE, STORE_ADVICE, render_markdown
from service.errors import (
    KINDS,
    PLANNER_KINDS,
    STORE_KINDS,
    FieldError,
    InternalError,
    LarsError,
    ValidationFailed,
    problem,
    shown,
)

ROOT = Path(__file__).parents[2]
BASES = {
    errors.StoreRefused,
    errors.PlannerFailed,
    errors.LarsError,
    errors.FunctionError,
    errors.RequestError,
    errors.Unauthorized,
    errors.ServiceError,
    errors.TryLater,
}


def tree(base: type[LarsError]) -> Iterator[type[LarsError]]:
    """``base`` and everything below it in ``service.errors``."""
    yield base
    for child in base.__subclasses__():
        if child.__module__.startswith(errors.__name__):
            yield from tree(child)


def store_tree(base: type[StoreError]) -> Iterator[type[StoreError]]:
    yield base
    for child in base.__subclasses__():
        yield from store_tree(child)


def drawn() -> dict[str, str]:
    """Class name -> name of its base, from the drawing in the module's docstring."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    (?P<lead>[│ ]*(?:[├└]── )?)(?P<name>[A-Z][A-Za-z]+)(?: {2,}.*)?$", line)
        if match is None:
            continue
        depth = len(match["lead"]) // 4
        path[depth:] = [match["name"]]
        if depth:
            parents[match["name"]] = path[depth - 1]
    return parents


def test_the_drawing_is_the_tree() -> None:
    """Every class is drawn under its base, and nothing else is drawn."""
    actual = {
        child.__name__: child.__bases__[0].__name__ for child in tree(LarsError) if child is not LarsError
    }
    assert drawn() == actual


def test_the_table_is_closed() -> None:
    """Every class that can be raised has its row and its advice; codes are unique and of one form."""
    raisable = set(tree(LarsError)) - BASES
    assert set(KINDS) == raisable
    assert set(ADVICE) == raisable
    codes = [kind.code for kind in KINDS.values()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_who_is_at_fault_decides_the_status() -> None:
    """4xx below RequestError, 5xx below FunctionError and ServiceError."""
    for error_class, kind in KINDS.items():
        assert kind.status // 100 == (4 if issubclass(error_class, errors.RequestError) else 5)


def test_status_and_code_are_the_contract() -> None:
    """The pairs that callers rely on."""
    assert {kind.code: kind.status for kind in KINDS.values()} == {
        "bad_request": 400,
        "malformed_json": 400,
        "key_missing": 401,
        "key_malformed": 401,
        "key_unknown": 401,
        "key_revoked": 401,
        "key_expired": 401,
        "scope_missing": 403,
        "policy_refused": 403,
        "upload_refused": 403,
        "not_found": 404,
        "conflict": 409,
        "request_timeout": 408,
        "idempotency_conflict": 409,
        "method_not_allowed": 405,
        "precondition_failed": 412,
        "module_failed": 422,
        "function_error": 500,
        "function_timeout": 504,
        "payload_too_large": 413,
        "uri_too_long": 414,
        "headers_too_large": 431,
        "unsupported_media_type": 415,
        "validation_failed": 422,
        "rate_limited": 429,
        "internal_error": 500,
        "planner_required": 501,
        "plan_failed": 502,
        "plan_refused": 502,
        "worker_lost": 502,
        "overloaded": 503,
        "queue_timeout": 503,
        "too_many_connections": 503,
        "not_ready": 503,
        "plan_pending": 503,
        "control_unavailable": 503,
        "storage_unavailable": 503,
        "limits_unavailable": 503,
        "run_timeout": 504,
    }


def test_what_the_store_may_say() -> None:
    """STORE_KINDS has the codes of the runtime's own tree, which the service does not import, and two more
    that are no exceptions there. The one code of both tables is the same in both."""
    found = {(kind.code, kind.status) for kind in store_tree(StoreError)}
    assert found | {("idempotency_key_reused", 422), ("session_unusable", 503)} == {
        (kind.code, kind.status) for kind in STORE_KINDS.values()
    }
    assert set(STORE_ADVICE) == set(STORE_KINDS)
    of_both = {kind for kind in KINDS.values() if kind.code in STORE_KINDS}
    assert of_both == {STORE_KINDS["precondition_failed"], STORE_KINDS["storage_unavailable"]}


def test_what_the_planner_may_say() -> None:
    """PLANNER_KINDS has every failure of the planner, what a front knows by itself, and no other's code."""
    assert set(PLANNER_KINDS) == FAILURES | {"llm_day_budget", "planner_unavailable"}
    assert set(PLANNER_ADVICE) == set(PLANNER_KINDS)
    assert not set(PLANNER_KINDS) & ({kind.code for kind in KINDS.values()} | set(STORE_KINDS))


@pytest.mark.parametrize(("seconds", "told"), [(None, None), (0.2, "1"), (2.1, "3")])
def test_when_a_model_may_be_asked_again(seconds: float | None, told: str | None) -> None:
    """Whole seconds, where anybody knows."""
    error = errors.PlannerFailed("llm_rate_limited", "the provider said 429", retry_after=seconds)
    status, headers, body = problem(error)
    assert (status, headers.get("Retry-After")) == (503, told)
    assert body.get("retry_after") == (None if told is None else int(told))


def test_a_code_that_no_store_says_is_an_internal_error() -> None:
    assert problem(errors.StoreRefused("own3d", "<script>", {}))[0] == 500
    assert problem(errors.PlannerFailed("own3d", "<script>"))[0] == 500


def test_a_class_without_a_row_is_an_internal_error() -> None:
    """Not supported is refused: nothing gets a status by being derived from something."""

    class Stranger(errors.NotFound):
        pass

    status, _, body = problem(Stranger("lost"))
    assert (status, body["code"]) == (500, "internal_error")


def test_every_error_is_documented() -> None:
    """docs/errors.md is what the tables say; regenerate it with the command in its second line."""
    text = (ROOT / "docs" / "errors.md").read_text()
    assert text == render_markdown()
    for kind in KINDS.values():
        assert f"| `{kind.code}` | {kind.status} |" in text


def test_the_documentation_is_printed_by_the_module() -> None:
    """The command that the page names prints the page."""
    printed = subprocess.run(
        [sys.executable, "-m", "service.error_docs"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert printed.stdout == render_markdown()


def test_internal_error_says_nothing_of_its_cause() -> None:
    """Its usual detail is the same whatever happened."""
    try:
        try:
            raise KeyError("/etc/secret")
        except KeyError as cause:
            raise InternalError from cause
    except InternalError as error:
        body = problem(error)[2]
    assert "secret" not in str(body)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        (120, 120),
        (2**53, "0x20000000000000"),
        (-(10**40), "-0x1d6329f1c35ca4bfabb9f5610000000000"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 100 + "..."),
        ("a\ud800b", "a\\ud800b"),
        ([1, 2], "an array of 2"),
        ({"a": 1}, "an object of 1 members"),
        (b"x", "bytes"),
    ],
)
def test_values_are_shown_short_and_valid(value: object, expected: object) -> None:
    """What an error repeats of a request is bounded and has a JSON form."""
    assert shown(value) == expected


def test_field_error_members() -> None:
    """``value`` and ``limit`` appear where they were given, and None is a value."""
    assert FieldError("timeout", "is above the ceiling", "ask for less", value=120, limit=60).as_json() == {
        "field": "timeout",
        "message": "is above the ceiling",
        "value": 120,
        "limit": 60,
        "remedy": "ask for less",
    }
    assert "value" not in FieldError("code", "is missing", "send it").as_json()
    assert FieldError("code", "is null", "send text", value=None).as_json()["value"] is None


def test_validation_failed_tells_the_first_and_counts_the_rest() -> None:
    """``detail`` alone is enough to act on when there is one error."""
    one = FieldError("code", "is missing", "send the program's text")
    assert ValidationFailed([one]).detail == "code: is missing; send the program's text"
    assert ValidationFailed([one, one, one]).detail.endswith("text (and 2 more, see errors)")
