"""What a judge refused, as the error that a caller is answered with. Pure."""

from __future__ import annotations

from sandbox_runtime.job import Refusal
from service.errors import PolicyRefused


def policy_refused(refusal: Refusal) -> PolicyRefused:
    """The rule, what it is about and where, and what to write instead."""
    where = f" (line {refusal.line}, column {refusal.column})" if refusal.line else ""
    detail = f"{refusal.message}{where}; {refusal.remedy}"
    return PolicyRefused(detail, rule=refusal.rule, line=refusal.line, column=refusal.column)
