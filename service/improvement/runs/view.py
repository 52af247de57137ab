"""Runs and steps as JSON shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from service.improvement.runs.values import KeptStep, Name, Run
from service.times import shown_time

View = dict[str, Any]


def run_view(run: Run) -> View:
    """One of a list: without its steps."""
    chosen, watched = run.chosen, run.watched
    return {
        "run_id": run.id,
        "status": run.status,
        "reason": run.reason,
        "target": _target(run.target),
        "goal": run.goal,
        "max_candidates": run.order.max_candidates,
        "budget_tokens": run.order.budget_tokens,
        "tokens": run.tokens,
        "cost_usd": run.cost,
        "candidate": None if chosen is None else {"number": chosen.number, "digest": chosen.digest},
        "canary_version": None if watched is None else watched.version,
        "automatic": run.automatic,
        "started_by": run.by,
        "started_at": shown_time(run.created),
        "updated_at": shown_time(run.updated),
        "ended_at": None if run.ended is None else shown_time(run.ended),
    }


def whole_view(run: Run, steps: Sequence[KeptStep]) -> View:
    """With its steps, and what there is to approve: the candidate's code, and how it differs."""
    chosen = run.chosen
    shown = [step_view(step) for step in steps]
    candidate = None
    if chosen is not None:
        written = _step_of(shown, "develop", chosen.number)
        candidate = {
            "number": chosen.number,
            "digest": chosen.digest,
            "code": chosen.text,
            "diff": written.get("diff", ""),
            "assessment": written.get("assessment", ""),
            "evidence": _step_of(shown, "test", chosen.number),
        }
    return {**run_view(run), "candidate": candidate, "steps": shown}


def step_view(step: KeptStep) -> View:
    """``seconds``: how long it took."""
    return {
        "number": step.number,
        "stage": step.stage,
        "outcome": step.outcome,
        "at": shown_time(step.time),
        "seconds": round(step.seconds, 3),
        "evidence": orjson.loads(step.evidence),
    }


def _step_of(steps: Sequence[View], stage: str, candidate: int) -> View:
    """The evidence of a candidate's step."""
    for step in steps:
        if step["stage"] == stage and step["evidence"].get("candidate") == candidate:
            evidence: View = step["evidence"]
            return evidence
    return {}


def _target(name: Name | None) -> View | None:
    return None if name is None else {"visible_pixel_hash": name[0], "function_name": name[1]}
