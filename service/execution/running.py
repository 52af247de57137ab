"""A program of this request runs, and the request's log line tells how that went."""

from __future__ import annotations

from starlette.requests import Request

from sandbox_runtime.domain import OneShot
from service.http.record import RequestRecord, record_of
from service.pool.job import Job, Outcome
from service.state import state_of
from service.telemetry.catalog import BIND_SECONDS, PROGRAMS, QUEUE_SECONDS, RUN_SECONDS


async def run_for(request: Request, job: Job) -> Outcome:
    """Its outcome. Raises as ``Pool.run`` does."""
    outcome = await state_of(request).pool.run(job)
    _note(record_of(request.scope), outcome)
    _count(outcome)
    return outcome


def _note(record: RequestRecord, outcome: Outcome) -> None:
    record.domain = OneShot.kind
    record.verdict = outcome.verdict
    record.queue_ms = outcome.timing.queue * 1000
    record.bind_ms = outcome.timing.bind * 1000
    record.run_ms = outcome.timing.run * 1000


def _count(outcome: Outcome) -> None:
    PROGRAMS.add(outcome.verdict)
    QUEUE_SECONDS.observe(outcome.timing.queue, OneShot.kind)
    BIND_SECONDS.observe(outcome.timing.bind, OneShot.kind)
    RUN_SECONDS.observe(outcome.timing.run, OneShot.kind)
