"""An outcome as the body of POST /execute's answer: the members of both older services, and more."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from sandbox_runtime.job import Program, Refusal, Report
from service.errors import FieldError, LarsError, PolicyRefused, ValidationFailed
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
    refusal = report.refusal
    return PolicyRefused(_sentence(refusal), rule=refusal.rule, line=refusal.line, column=refusal.column)


def _sentence(refusal: Refusal) -> str:
    where = f" (line {refusal.line}, column {refusal.column})" if refusal.line else ""
    return f"{refusal.message}{where}; {refusal.remedy}"


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
