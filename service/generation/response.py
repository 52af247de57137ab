"""The body of POST /generate-and-execute's answer: that of POST /execute, and what the model did. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sandbox_runtime.job import Program
from sandbox_runtime.planning import ModelCall
from service.execution.response import render
from service.generation.rounds import Attempt

UNASSESSED: Final = "The model gave no assessment of the program."


def render_generated(
    query: str, program: Program, attempt: Attempt, calls: Sequence[ModelCall]
) -> dict[str, object]:
    """The response's members. ``program``: the one that ran."""
    members = render(program, attempt.outcome)
    if attempt.hindrance is not None:
        report = attempt.outcome.report
        told = f"the program could not be repaired any further: {attempt.hindrance}"
        members["warnings"] = [*(report.warnings if report else ()), told]
    return {
        "query": query,
        "generated_code": program.code,
        **members,
        "validation_result": attempt.draft.assessment or UNASSESSED,
        "model": model_of(calls, attempt.repairs),
    }


def model_of(calls: Sequence[ModelCall], repairs: int) -> dict[str, object]:
    """What was asked and what it cost. ``provider`` and ``model`` are those of the last call that was
    answered; ``cost_usd`` is null unless every call's price is known."""
    answered = next((call for call in reversed(calls) if call.outcome == "ok"), None)
    costs = [call.cost for call in calls if call.cost is not None]
    return {
        "provider": answered.provider if answered else None,
        "model": answered.model if answered else None,
        "calls": len(calls),
        "input_tokens": sum(call.input_tokens for call in calls),
        "output_tokens": sum(call.output_tokens for call in calls),
        "cached_tokens": sum(call.cached_tokens for call in calls),
        "cost_usd": round(sum(costs), 9) if len(costs) == len(calls) else None,
        "repairs": repairs,
    }
