"""The pure parts: what a failure means, when it is tried again, what it costs."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from sandbox_runtime.planner.breaker import COOL_DOWN, WINDOW, Breaker
from sandbox_runtime.planner.budget import estimate, max_output
from sandbox_runtime.planner.decisions import asks_another, wait_before_retry
from sandbox_runtime.planner.model import CallFailed, Prompt
from sandbox_runtime.planner.status import failure_of, is_about_schema, is_unknown_route, retry_after
from sandbox_runtime.planning import FAILURES


def _failed(again: bool, after: float | None = None) -> CallFailed:
    failed = CallFailed("llm_failed", "")
    failed.again, failed.retry_after = again, after
    return failed


@pytest.mark.parametrize(
    ("failed", "attempt", "left", "wait"),
    [
        (_failed(True), 1, 10.0, 0.25),
        (_failed(True), 2, 10.0, None),
        (_failed(False), 1, 10.0, None),
        (_failed(True), 1, 0.75, 0.25),
        (_failed(True), 1, 0.74, None),
        (_failed(True, 9.5), 1, 10.0, 9.5),
        (_failed(True, 9.6), 1, 10.0, None),
        (_failed(True, 0.0), 1, 10.0, 0.0),
    ],
)
def test_wait(failed: CallFailed, attempt: int, left: float, wait: float | None) -> None:
    """With a draw of a quarter; half a second must be left for the call itself."""
    assert wait_before_retry(failed, attempt, left, 0.25) == wait


def test_final_failures_are_known_ones() -> None:
    """A code that is misspelled would never match."""
    final = {code for code in FAILURES if not asks_another(CallFailed(code, ""))}
    assert final == {"llm_bad_reply", "llm_refused", "llm_request_budget", "llm_truncated"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 2.0), ("1.5", 1.5), ("", None), ("soon", None), ("-1", None), ("9" * 50, None), ("nan", None)],
)
def test_retry_after_is_a_number(text: str, seconds: float | None) -> None:
    """Or nothing."""
    assert retry_after({"retry-after": text}) == seconds


def test_retry_after_is_a_date() -> None:
    """In the past it is now."""
    assert 58 < (retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)}) or 0) <= 60
    assert retry_after({"retry-after": formatdate(0, usegmt=True)}) == 0.0
    assert retry_after({"retry-after": "60", "retry-after-ms": "1500"}) == 1.5


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"error": {"message": "Your credit balance is too low to do it"}}, "llm_spend_limit"),
        (429, {"error": {"message": "x", "code": "billing_hard_limit_reached"}}, "llm_spend_limit"),
        (429, {"error": {"details": {"error_code": "contract_spend_limit_reached"}}}, "llm_spend_limit"),
        (429, {"error": {"details": {"error_code": "ramp_limit_exceeded"}}}, "llm_rate_limited"),
        (418, "odd", "llm_request_refused"),
        (500, None, "llm_failed"),
        (599, {"detail": [1]}, "llm_failed"),
    ],
)  # fmt: skip
def test_status_has_its_code(status: int, body: object, code: str) -> None:
    """Whatever the body is."""
    assert failure_of(status, {}, body, "openai").code == code


@pytest.mark.parametrize(
    ("status", "body", "unknown"),
    [
        (404, {"detail": "Not Found"}, True),
        (404, "404 page not found", True),
        (404, None, True),
        (405, {"detail": "Method Not Allowed"}, True),
        (404, {"error": {"message": "model 'x' not found, try pulling it first"}}, False),
        (404, {"object": "error", "message": "The model `x` does not exist."}, False),
        (400, {"detail": "Not Found"}, False),
    ],
)
def test_unknown_route(status: int, body: object, unknown: bool) -> None:
    """As FastAPI, Go, nothing, vLLM and Ollama say it."""
    failed = failure_of(status, {}, body, "openai", "/v1/models/responses")
    assert is_unknown_route(failed) == unknown
    assert ("for /v1/models/responses, see whether its base URL is right" in failed.detail) == unknown


def test_schema_is_refused_with_400_only() -> None:
    """A server that fails with the word in its message is only failing."""
    body = {"error": {"message": "Grammar compilation: schema too complex"}}
    assert is_about_schema(failure_of(400, {}, body, "anthropic"))
    assert not is_about_schema(failure_of(500, {}, body, "anthropic"))
    assert not is_about_schema(failure_of(400, {}, {"error": {"message": "max_tokens"}}, "anthropic"))


def test_budget() -> None:
    """Three bytes are a token, rounded up; the least output is 16."""
    assert estimate(Prompt("äb", (("user", "cd"),)), None) == 3  # ä has two bytes, and a blank line between
    assert (max_output(1000, 100, 500), max_output(400, 100, 500)) == (500, 300)
    assert max_output(116, 100, 500) == 16
    with pytest.raises(CallFailed, match="LARS_LLM_REQUEST_TOKENS") as caught:
        max_output(115, 100, 500)
    assert caught.value.code == "llm_request_budget"


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _breaker() -> tuple[Breaker, _Clock]:
    clock = _Clock()
    return Breaker(clock, lambda: 0.0), clock


def test_breaker_counts_in_its_window() -> None:
    """Four failures, then half a minute, then one more: none of them is a fifth in a row."""
    breaker, clock = _breaker()
    for _ in range(4):
        breaker.failed("llm_failed")
    clock.now += WINDOW + 1
    breaker.failed("llm_failed")
    assert breaker.wait() == 0


def test_breaker_opens_at_half_of_ten() -> None:
    """Never five in a row."""
    breaker, _ = _breaker()
    waits = []
    for _ in range(5):
        breaker.succeeded()
        breaker.failed("llm_failed")
        waits.append(breaker.wait())
    assert waits == [0, 0, 0, 0, COOL_DOWN]


def test_breaker_has_one_probe() -> None:
    """The second caller waits; a probe that gives up leaves its place."""
    breaker, clock = _breaker()
    for _ in range(5):
        breaker.failed("llm_timeout")
    assert (breaker.wait(), breaker.reason) == (COOL_DOWN, "llm_timeout")
    clock.now += COOL_DOWN
    assert (breaker.wait(), breaker.wait()) == (0, 1)
    breaker.gave_up()
    assert breaker.wait() == 0
    breaker.failed("llm_failed")
    assert breaker.wait() == COOL_DOWN
    clock.now += COOL_DOWN
    assert breaker.wait() == 0
    breaker.succeeded()
    assert (breaker.wait(), breaker.wait()) == (0, 0)
