"""Admission: a plan's program is judged in a fresh jailed worker, and runs only when the policy allows it."""

from __future__ import annotations

import time
from collections.abc import Collection

import orjson

from sandbox_runtime.job import Program
from service.errors import PlanRefused
from service.pool.job import Job, JobLimits, Outcome
from service.pool.pool import Pool
from service.rest.plan import MAX_BLOCK

POLICY = "plan"
_LIMITS = JobLimits(timeout=5.0, cpu=5.0, memory=128 << 20, file_size=1 << 20, output=4096)


async def admit(pool: Pool, block: str, values: object, vocabulary: Collection[str]) -> None:
    """PlanRefused, with rule and line, unless the policy allows the program. Raises as ``Pool.run`` does.

    ``values``: what of the request the program's author has seen and must not have written into it, None for
    an author that sees shapes only; ``vocabulary``: the words that it may write whatever the values are.
    """
    data = orjson.dumps({"data": {"values": values, "vocabulary": sorted(vocabulary)}})
    program = Program(
        code=block, policy=POLICY, only_judge=True, has_data=values is not None, max_code=MAX_BLOCK
    )
    deadline = time.monotonic() + _LIMITS.timeout
    outcome = await pool.run(Job(program, _LIMITS, deadline, data=data if program.has_data else None))
    if outcome.verdict != "ok":
        raise _refused(outcome)


def _refused(outcome: Outcome) -> PlanRefused:
    report = outcome.report
    if report is not None and report.refusal is not None:
        refusal = report.refusal
        detail = f"the plan was refused: {refusal.message}; {refusal.remedy}"
        return PlanRefused(detail, rule=refusal.rule, line=refusal.line)
    if report is not None and report.exception is not None:
        exception = report.exception
        return PlanRefused(f"the plan does not compile: {exception.message}", line=exception.line)
    return PlanRefused(f"the plan could not be judged: {outcome.detail}")
