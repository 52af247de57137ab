"""A run of improvement and its steps. Values only.

running ──► awaiting_approval ──► deploying ──► monitoring ──► promoted
   │ │              │              ▲ │                ├► rolled_back
   │ └──────────────┼──────────────┘ └► superseded    └► superseded
   ├► refused ◄─────┘ by a person, or by the evidence
   ├► nothing_to_do
   ├► failed
   └► interrupted
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from service.functions.figures import Tally
from service.improvement.trial.values import Goal

Active = Literal["running", "awaiting_approval", "deploying", "monitoring"]
Ended = Literal["promoted", "rolled_back", "refused", "nothing_to_do", "failed", "interrupted", "superseded"]
Status = Active | Ended
Stage = Literal[
    "analyze", "identify", "develop", "test", "approve", "deploy", "monitor", "promote", "rollback", "end"
]
Decision = Literal["promote", "roll_back"]
ACTIVE: Final[frozenset[str]] = frozenset(get_args(Active))
MAX_CANDIDATES: Final = 10
Name = tuple[str, str]
"""visible_pixel_hash and function_name."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. ``target``: None leaves it to the run; ``goal``: None leaves it to the figures."""

    max_candidates: int
    budget_tokens: int
    target: Name | None = None
    goal: Goal | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The candidate that the evidence admits. ``live``: the digest of the version that it was compared with;
    ``mended``: calls that failed and that it answers, for which nobody knows the right answer."""

    number: int
    digest: str
    text: str
    signature: str
    live: str
    mended: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """The canary: its ``version``, ``since`` when it has its share (seconds since the epoch), and what both
    versions had done before."""

    version: int
    since: float
    live: Tally
    canary: Tally


@dataclass(frozen=True, slots=True)
class Run:
    """One run as it is now. ``by``: Principal.name of who began it. ``reason``: one sentence on why it is
    where it is, "" where there is nothing to say. ``live``: the digest of the version that it found.
    ``tokens`` of models, ``cost`` in US dollars where it is known. ``decision``: what is to become of a run
    that is being watched. Times in seconds since the epoch; ``holder`` works on it until ``lease``."""

    id: str
    by: str
    order: Order
    status: Status = "running"
    reason: str = ""
    target: Name | None = None
    goal: Goal | None = None
    live: str | None = None
    automatic: bool = False
    tokens: int = 0
    cost: float | None = 0.0
    chosen: Chosen | None = None
    watched: Watched | None = None
    decision: Decision | None = None
    created: float = 0.0
    updated: float = 0.0
    ended: float | None = None
    holder: str | None = None
    lease: float = 0.0

    @property
    def is_active(self) -> bool:
        """Whether anything may still become of it."""
        return self.status in ACTIVE


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done. ``outcome``: a word; ``evidence``: JSON, all that was seen; ``summary``: the
    part of it that the audit log has, without code and calls. ``seconds`` that it took."""

    stage: Stage
    outcome: str
    evidence: Mapping[str, object] = field(default_factory=dict)
    summary: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class KeptStep:
    """A step as it is kept: ``number`` counts from 1; ``time``: when it was over."""

    number: int
    stage: str
    outcome: str
    time: float
    seconds: float
    evidence: str  # JSON
