"""The body of POST /execute: a JSON object in, a validated job out. Pure but for the clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox_runtime.job import Program
from service.execution.fields import FIELDS, read_fields
from service.pool.job import Job, JobLimits
from service.settings import Settings


def parse_execute(body: Mapping[str, Any], raw: bytes, settings: Settings, now: float) -> Job:
    """The job that ``body`` asks for; ``raw`` is its text, ``now`` a ``time.monotonic()`` value.

    ValidationFailed names every wrong field with its value, the limit and the remedy.
    """
    return job_of(read_fields(body, FIELDS, settings), raw, settings, now)


def job_of(values: Mapping[str, Any], raw: bytes, settings: Settings, now: float) -> Job:
    """The job that a request's values ask for. Without ``code`` among them its program is empty."""
    has_data = "data" in values
    timeout = values.get("timeout", settings.timeout)
    program = Program(
        code=values.get("code", ""),
        argv=values.get("argv", ()),
        stdin=values.get("stdin"),
        policy=values.get("policy", settings.execute_policy),
        validate=values.get("validate_code", False),
        has_data=has_data,
        max_code=settings.max_code_bytes,
        max_result=settings.max_result_bytes,
    )
    limits = JobLimits(
        timeout=timeout,
        cpu=timeout * values.get("cpu_limit", settings.cpu),
        memory=values.get("memory_limit", settings.memory),
        file_size=settings.scratch_bytes,
        output=settings.max_output_bytes,
    )
    return Job(program, limits, deadline=now + timeout, data=raw if has_data else None)


def running(job: Job, code: str) -> Job:
    """The same with this program, and with all of its time before it."""
    deadline = edge() + job.limits.timeout
    return replace(job, program=replace(job.program, code=code), deadline=deadline)


def edge() -> float:
    """The clock a request's deadline is counted on, read once when it arrives."""
    return time.monotonic()
