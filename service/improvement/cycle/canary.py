"""What is done with a canary, from what it and the version before it did in the same time. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from service.functions.figures import Tally

_NOTICEABLE: Final = 0.001  # seconds: what is slower by less than this is slower to nobody
_PERCENT: Final = 95


@dataclass(frozen=True, slots=True)
class Thresholds:
    """``calls`` that a canary must have had, within ``seconds``; ``errors``: by how much its error rate may
    be above the other's, 0 to 1; ``slowdown``: by what factor its p95."""

    calls: int
    seconds: float
    errors: float
    slowdown: float


@dataclass(frozen=True, slots=True)
class Judged:
    """``why``: one sentence, with the figures."""

    action: Literal["wait", "promote", "roll_back"]
    why: str


def judge(live: Tally, canary: Tally, elapsed: float, thresholds: Thresholds) -> Judged:
    """``live`` and ``canary`` since the canary began, ``elapsed`` seconds ago."""
    ran, failed = sum(canary.runs.values()), canary.outcomes.get("function_error", 0)
    allowed = (live.failure_rate or 0.0) + thresholds.errors
    # More have failed than may of all that it has to answer: no later call can mend that.
    if failed > allowed * max(ran, thresholds.calls):
        return Judged("roll_back", f"{failed} of {ran} calls failed, allowed are {allowed:.2%}")
    if ran < thresholds.calls:
        if elapsed < thresholds.seconds:
            return Judged("wait", f"{ran} of {thresholds.calls} calls")
        return Judged("roll_back", f"{ran} calls in {elapsed:.0f} s, and {thresholds.calls} are needed")
    return _by_latency(live.percentile(_PERCENT), canary.percentile(_PERCENT), ran, thresholds.slowdown)


def _by_latency(live: float | None, canary: float | None, ran: int, slowdown: float) -> Judged:
    if live is None or canary is None:
        return Judged("promote", f"{ran} calls without more errors; the version before had none to compare")
    told = f"p95 is {canary * 1000:.3g} ms, that of the version before {live * 1000:.3g} ms"
    if canary > live * slowdown and canary > live + _NOTICEABLE:
        return Judged("roll_back", f"{told}, allowed is {slowdown:g} times that")
    return Judged("promote", f"{ran} calls without more errors; {told}")
