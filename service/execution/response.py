"""An outcome as the body of POST /execute's answer: the members of both older services, and more."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from sandbox_runtime.job import Program, Report
from service.errors import FieldError, LarsError, ValidationFailed
from service.policy_refusal import policy_refused
from service.pool.job import Outcome

_NULL = orjson.Fragment(b"null")


def refusal_of(outcome: Outcome) -> LarsError | None:
    """The error that a program which must not run is answered with; None when it ran."""
    report = outcome.report
    if outcome.verdict != "rejected" or report is None:
        return None
    if report.refusal is None:
        detail = report.detail or "data cannot be read"
        return ValidationFailed([FieldError("data", detail, "send smaller numbers or less nesting")])
    return policy_refused(report.refusal)


def render(program: Program, outcome: Outcome) -> dict[str, object]:
    """The response's members; ``result`` is spliced in as the JSON text the worker made."""
    report = outcome.report
    exception = report.exception if report else None
    return {
        "success": outcome.exit_code == 0,
        "result": orjson.Fragment(outcome.result) if outcome.result is not None else _NULL,
        "stdout": outcome.stdout.text,
        "stderr": outcome.stderr.text,
        "exit_code": outcome.exit_code,
        "execution_time": round(outcome.timing.run, 6),
        "original_code": program.code,
        "executed_code": program.code,
        "validation_result": report.findings if report else None,
        "error": _one_line(outcome, report),
        "exception": asdict(exception) if exception else None,
        "verdict": outcome.verdict,
        "detail": outcome.detail,
        "truncated": {
            name: stream.dropped
            for name, stream in (("stdout", outcome.stdout), ("stderr", outcome.stderr))
            if stream.dropped
        },
        "result_repr": report.result_repr if report else None,
        "warnings": list(report.warnings) if report else [],
        "usage": asdict(outcome.usage),
        "timing": {name: round(value, 6) for name, value in asdict(outcome.timing).items()},
    }


def _one_line(outcome: Outcome, report: Report | None) -> str | None:
    """What went wrong in one line; None when nothing did."""
    if outcome.exit_code == 0:
        return None
    if outcome.verdict == "exit":
        return f"the program exited with status {outcome.exit_code}"
    if report is not None and report.exception is not None:
        text = f"{report.exception.type}: {report.exception.message}".rstrip(": ")
        line = text.splitlines()[0] if text else "exception"
        return line if outcome.verdict == "exception" else f"{outcome.verdict}: {outcome.detail or line}"
    return f"{outcome.verdict}: {outcome.detail}"
