"""What is wrong with a program that somebody else than the caller wrote, in words for its author. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sandbox_runtime.job import ExceptionInfo, Report
from service.policy_refusal import policy_refused
from service.pool.job import Outcome

_SYNTAX: Final = frozenset(("SyntaxError", "IndentationError", "TabError"))
_FRAMES: Final = "Traceback (most recent call last):"
_MAX_TRACEBACK: Final = 4000  # characters, of which the last say most


@dataclass(frozen=True, slots=True)
class Problem:
    """``refused``: by the policy. ``uncompiled``: it is no Python. ``failed``: it ran, and not to a good
    end."""

    kind: Literal["refused", "uncompiled", "failed"]
    text: str


def problem_of(outcome: Outcome) -> Problem | None:
    """None for a program that ran to its end with exit code 0. The text has nothing of the run's data but
    what the traceback shows."""
    report = outcome.report
    if report is not None and report.refusal is not None:
        return Problem("refused", f"the policy refused it: {policy_refused(report.refusal).detail}")
    if outcome.exit_code == 0:
        return None
    exception = report.exception if report else None
    if exception is not None and _is_of_the_compiler(exception):
        return Problem("uncompiled", f"it does not compile:\n{exception.traceback.rstrip()}")
    return Problem("failed", _failure(outcome, report))


def _is_of_the_compiler(exception: ExceptionInfo) -> bool:
    """A program that could not be compiled has no frames; what one raises itself has."""
    return exception.type in _SYNTAX and not exception.traceback.startswith(_FRAMES)


def _failure(outcome: Outcome, report: Report | None) -> str:
    lines = [f"it ran and failed: verdict {outcome.verdict}, exit code {outcome.exit_code}"]
    if outcome.detail:
        lines.append(outcome.detail)
    if report is not None and report.exception is not None:
        lines.append(report.exception.traceback[-_MAX_TRACEBACK:].rstrip())
    return "\n".join(lines)
