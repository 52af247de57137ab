"""Figures that tests of self-improvement make up."""

from __future__ import annotations

from service.functions.figures import CallOutcome, Tally


def tally(ok: int, failed: int = 0, run: float = 0.010, **others: int) -> Tally:
    """So many calls, each of which took ``run`` seconds."""
    made = Tally()
    ends: dict[CallOutcome, int] = {"ok": ok, "function_error": failed}
    for end, number in ends.items():
        for _ in range(number):
            made.count(end, run, 0.0, 1.0)
    for end in ("caller_error", "platform_error"):
        for _ in range(others.get(end, 0)):
            made.count(end, 0.0, 0.0, 1.0)
    return made
