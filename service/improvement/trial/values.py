"""What a candidate is examined with, and what is found. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.functions.recorded_call import RecordedCall

# Why a function is rewritten: it fails too often, or takes too long.
Goal = Literal["errors", "latency"]
Verdict = Literal[
    "admitted",
    "too_few_calls",  # recorded, of different arguments: nothing is run
    "unrepeatable",  # the live version itself answers too many of them otherwise when it is asked again
    "policy_refused",
    "module_failed",  # no Python, or its import fails, or it has not the function
    "signature_changed",
    "timeout",
    "differs",  # from the live version, on a recorded call
    "case_differs",  # from the live version, on a case that the model has written
    "slower",
    "no_gain",  # not faster by enough, or mends no call that failed
]


@dataclass(frozen=True, slots=True)
class Samples:
    """Recorded calls, each with other arguments. ``shown``: those that the model may be told of;
    ``held_back``: those that it must never learn anything of."""

    shown: tuple[RecordedCall, ...]
    held_back: tuple[RecordedCall, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One call that a model has thought of. ``arguments``: JSON text of an object; ``result``: of what it
    expects, None where it does not say."""

    arguments: bytes
    result: bytes | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """``reason`` is for operators, ``problem`` for the model: it says nothing of calls that are held back.
    ``signature``: the candidate's, as JSON, or "" where it has none. ``facts``: JSON, what was measured.
    ``mended``: calls that failed and that the candidate answers: whether rightly, nobody knows."""

    verdict: Verdict
    reason: str
    problem: str = ""
    signature: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    mended: int = 0
