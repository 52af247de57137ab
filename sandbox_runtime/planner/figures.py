"""What has been called since the process started, by provider, model and outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_runtime.planning import ModelCall

BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)  # seconds


@dataclass(slots=True)
class _Tally:
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))


class Figures:
    """``as_json`` is the output of the task figures."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str, str], _Tally] = {}

    def count(self, call: ModelCall) -> None:
        """One more."""
        tally = self._tallies.setdefault((call.provider, call.model, call.outcome), _Tally())
        tally.calls += 1
        tally.input_tokens += call.input_tokens
        tally.output_tokens += call.output_tokens
        tally.cached_tokens += call.cached_tokens
        if call.cost is not None:
            tally.cost = (tally.cost or 0.0) + call.cost
        tally.seconds += call.seconds
        for at, bound in enumerate(BOUNDS):
            tally.buckets[at] += call.seconds <= bound

    def as_json(self) -> dict[str, Any]:
        """``models``: one object for each. ``cost``: of the calls whose cost is known, null for none.
        ``buckets``: pairs of a bound in seconds and how many calls took at most that, all shorter ones among
        them; ``calls`` is how many took any time."""
        return {"models": [_as_json(*entry) for entry in sorted(self._tallies.items(), key=_name)]}


def _name(entry: tuple[tuple[str, str, str], _Tally]) -> tuple[str, str, str]:
    return entry[0]


def _as_json(key: tuple[str, str, str], tally: _Tally) -> dict[str, Any]:
    provider, model, outcome = key
    return {
        "provider": provider,
        "model": model,
        "outcome": outcome,
        "calls": tally.calls,
        "input_tokens": tally.input_tokens,
        "output_tokens": tally.output_tokens,
        "cached_tokens": tally.cached_tokens,
        "cost": tally.cost,
        "seconds": tally.seconds,
        "buckets": [[bound, count] for bound, count in zip(BOUNDS, tally.buckets, strict=True)],
    }
