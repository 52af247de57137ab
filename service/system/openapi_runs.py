"""The part of the OpenAPI document that is about runs of improvement."""

from __future__ import annotations

from typing import get_args

from service.improvement.runs.request import MAX_NOTE, MIN_TOKENS
from service.improvement.runs.store import MAX_LIST
from service.improvement.runs.values import MAX_CANDIDATES, Active, Ended
from service.improvement.trial.values import Goal
from service.system.openapi_parts import (
    HASH,
    JSON,
    OBJECT,
    TEXT,
    Json,
    answered,
    in_path,
    json_body,
    operation,
    paging,
)

_TARGET: Json = {
    "type": ["string", "object", "null"],
    "description": '"HASH/NAME", or an object of both; null for the function that needs it most.',
    "properties": {"visible_pixel_hash": HASH, "function_name": TEXT},
}
_ORDER: Json = {
    "target": _TARGET,
    "goal": {"enum": [*get_args(Goal), None]},
    "max_candidates": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_CANDIDATES},
    "budget_tokens": {"type": ["integer", "null"], "minimum": MIN_TOKENS},
}
_VERDICT: Json = {
    "approved": {"type": ["boolean", "null"], "default": True},
    "note": {"type": ["string", "null"], "maxLength": MAX_NOTE},
}
_STATUS: Json = {"enum": [*get_args(Active), *get_args(Ended)]}
_RUN: Json = {**OBJECT, "properties": {"run_id": TEXT, "status": _STATUS, "reason": TEXT}}


def run_paths() -> Json:
    """For ``paths``."""
    change = (400, 404, 409, 413, 415, 422, 503)
    return {
        "/self-improve/auto-enhance": {"post": _started((*change, 429, 500, 502))},
        "/self-improve/runs": {
            "get": {
                **operation("listRuns", "Runs of improvement, the newest first.", (400, 503)),
                "parameters": paging(MAX_LIST),
            }
        },
        "/self-improve/runs/{run}": _of_run(
            "get", operation("showRun", "One run with its steps.", (404, 503))
        ),
        "/self-improve/runs/{run}/events": _of_run("get", _followed()),
        "/self-improve/runs/{run}/approve": _of_run(
            "post",
            operation(
                "approveRun", "Approve or refuse what a run has found.", change, json_body(_VERDICT, [])
            ),
        ),
    }


def _started(errors: tuple[int, ...]) -> Json:
    found = operation("startRun", "Have a function rewritten and tested.", errors, json_body(_ORDER, []))
    del found["responses"]["200"]
    found["responses"]["202"] = answered(_RUN, JSON)
    return found


def _followed() -> Json:
    found = operation("followRun", "The steps of a run as they come.", (404, 503))
    found["responses"]["200"] = answered(TEXT, "text/event-stream")
    return found


def _of_run(method: str, described: Json) -> Json:
    return {"parameters": [in_path("run", TEXT)], method: described}
