"""The body of POST /generate-and-execute: a JSON object in, what is asked and what is to run out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.execution.fields import RUN_FIELDS, Field, Fields, Wrong, bytes_of, read_fields
from service.execution.request import job_of
from service.pool.job import Job
from service.rest.shape import body_tree
from service.settings import Settings

MAX_QUERY = 16_384  # characters
MAX_REPAIRS = 5
_DATA_DEPTH = 6  # levels of data whose types the model is shown


@dataclass(frozen=True, slots=True)
class Wanted:
    """``given``: what the model is told, see ``sandbox_runtime.planning``. ``job``: as the program is to run
    that it writes; its own is empty. ``max_repairs``: how often a failed run may go back to the model."""

    query: str
    given: Mapping[str, Any]
    job: Job
    max_repairs: int


def parse_generate(body: Mapping[str, Any], raw: bytes, settings: Settings, now: float) -> Wanted:
    """What ``body`` asks for; ``raw`` is its text, ``now`` a ``time.monotonic()`` value. Of ``data`` the
    model is given the types and the names of members, never a value.

    ValidationFailed names every wrong field with its value, the limit and the remedy.
    """
    values = read_fields(body, FIELDS, settings)
    job = job_of(values, raw, settings, now)
    data = body_tree(values["data"], _DATA_DEPTH) if "data" in values else None
    given = {"query": values["query"], "policy": job.program.policy, "data": data}
    return Wanted(values["query"], given, job, values.get("max_repairs", 0))


def _query(value: Any, _: Settings) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Wrong("is not a question", "say in words what the program is to do")
    if len(value) > MAX_QUERY:
        raise Wrong(
            f"has {len(value)} characters, the ceiling is {MAX_QUERY}",
            "say it in fewer words; what the program works on is sent as data or stdin",
            MAX_QUERY,
        )
    bytes_of(value)
    return value


def _max_repairs(value: Any, _: Settings) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Wrong("is not a whole number", f"send one from 0 to {MAX_REPAIRS}")
    if not 0 <= value <= MAX_REPAIRS:
        raise Wrong(f"is not within 0 and {MAX_REPAIRS}", f"send one from 0 to {MAX_REPAIRS}", MAX_REPAIRS)
    return value


FIELDS: Fields = {
    "query": Field(
        _query,
        f"What the program is to do, in words; at most {MAX_QUERY} characters.",
        {"type": "string", "minLength": 1, "maxLength": MAX_QUERY, "pattern": r"\S"},
        needed="say in words what the program is to do",
        null_counts=True,
    ),
    **RUN_FIELDS,
    "max_repairs": Field(
        _max_repairs,
        f"How often a failed run may go back to the model, which writes another: 0 (usual) to {MAX_REPAIRS}.",
        {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_REPAIRS},
    ),
}
