"""A program of this request runs, and the request's log line tells how that went."""

from __future__ import annotations

import time

from starlette.requests import Request

from sandbox_runtime.domain import OneShot
from service.errors import QueueTimeout
from service.http.record import RequestRecord, record_of
from service.pool.job import Job, Outcome, Timing
from service.state import state_of
from service.telemetry.catalog import BIND_SECONDS, PROGRAMS, QUEUE_SECONDS, RUN_SECONDS
from service.telemetry.spans import current_trace


async def run_for(request: Request, job: Job) -> Outcome:
    """Its outcome. Raises as ``Pool.run`` does."""
    began = time.monotonic()
    try:
        outcome = await state_of(request).pool.run(job)
    except QueueTimeout:
        _waited_in_vain(record_of(request.scope), began)
        raise
    _trace(began, outcome.timing)
    _note(record_of(request.scope), outcome)
    _count(outcome)
    return outcome


def _note(record: RequestRecord, outcome: Outcome) -> None:
    record.domain = OneShot.kind
    record.verdict = outcome.verdict
    record.queue_ms = outcome.timing.queue * 1000
    record.bind_ms = outcome.timing.bind * 1000
    record.run_ms = outcome.timing.run * 1000


def _waited_in_vain(record: RequestRecord, began: float) -> None:
    """It has waited for as long as it could: who looks at what waits must see that most of all."""
    waited = time.monotonic() - began
    record.domain = OneShot.kind
    record.queue_ms = waited * 1000
    QUEUE_SECONDS.observe(waited, OneShot.kind)
    trace = current_trace()
    if trace is not None:
        trace.add("queue", began, began + waited)


def _count(outcome: Outcome) -> None:
    PROGRAMS.add(outcome.verdict)
    QUEUE_SECONDS.observe(outcome.timing.queue, OneShot.kind)
    BIND_SECONDS.observe(outcome.timing.bind, OneShot.kind)
    RUN_SECONDS.observe(outcome.timing.run, OneShot.kind)


def _trace(began: float, timing: Timing) -> None:
    trace = current_trace()
    if trace is not None:
        for name, seconds in (("queue", timing.queue), ("bind", timing.bind), ("run", timing.run)):
            trace.add(name, began, began + seconds)
            began += seconds
