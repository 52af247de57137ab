"""Runs a plan on the samples of its shape, and refuses it when it fails, writes where it must not, or does
something else than the built-in planner's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox_runtime.call import Binding, Reply, Trouble
from service.errors import PlanRefused, WorkerLost
from service.pool.pool import Pool
from service.rest.call import call_for
from service.rest.plan import Plan
from service.rest.plan_cache import Admitted
from service.rest.plan_files import KeptPlan
from service.rest.proof.agreement import difference, reply_difference
from service.rest.proof.fixture import fixture_of
from service.rest.proof.observed import Observed, observe
from service.rest.proof.samples import Sample, samples_of
from service.rest.proof.scratch import Scratch, Workshop, remove_stale, scratch
from service.rest.shape import Shape
from service.sessions.storage import in_storage
from service.settings import Settings

_RUN_SECONDS: Final = 1.0  # for one sample; a plan takes a thousandth of it
_ALL_SECONDS: Final = 3.0  # for all of them
_QUOTA: Final = 8 << 20
_RESULT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Course:
    """What a plan made of all samples, and of the records."""

    seen: tuple[Observed, ...]
    data: Any


class Prover:
    """``workers``: of sessions; each proof has one for each plan that it runs, one after the other."""

    def __init__(self, workers: Pool, settings: Settings) -> None:
        binding = Binding(settings.memory, _QUOTA, max(settings.max_result_bytes, _RESULT), full_sync=False)
        self._workshop = Workshop(workers, settings.data_root / "proofs", binding)
        self._swept = False

    async def prove(self, shape: Shape, plan: Plan, rival: Plan | None) -> None:
        """PlanRefused, rule ``proof`` or ``agreement``; QueueTimeout and StorageUnavailable when there is
        no session for it."""
        await self._sweep()
        samples = samples_of(shape)
        course = await self._run(shape, samples, plan)
        for sample, seen in zip(samples, course.seen, strict=False):
            if seen.fault:
                raise PlanRefused(f"the plan failed its proof: {sample}: {seen.fault}", rule="proof")
        if rival is None:
            return
        due = await self._run(shape, samples, rival)
        found = reply_difference(samples, course.seen, due.seen)
        found = found or difference("what is stored afterwards", course.data, due.data)
        if found:
            detail = f"the plan does something else than the built-in planner's: {found}"
            raise PlanRefused(detail, rule="agreement")

    async def try_one(self, shape: Shape, plan: Plan, sample: Sample) -> Observed:
        """What the plan makes of one request to the fixture. Nothing is kept."""
        async with scratch(self._workshop) as session:
            await session.fill(fixture_of(shape))
            return await _observed(session, plan, sample, _RUN_SECONDS)

    async def _run(self, shape: Shape, samples: Sequence[Sample], plan: Plan) -> Course:
        """Up to the first fault."""
        async with scratch(self._workshop) as session:
            await session.fill(fixture_of(shape))
            seen: list[Observed] = []
            end = time.monotonic() + _ALL_SECONDS
            for sample in samples:
                seconds = min(_RUN_SECONDS, end - time.monotonic())
                seen.append(await _observed(session, plan, sample, seconds))
                if seen[-1].fault:
                    return Course(tuple(seen), None)
            return Course(tuple(seen), await session.data())

    async def _sweep(self) -> None:
        if not self._swept:
            self._swept = True
            await in_storage(remove_stale, self._workshop.root)


async def _observed(session: Scratch, plan: Plan, sample: Sample, seconds: float) -> Observed:
    admitted = Admitted("proof", KeptPlan(plan, "llm", 0.0, 0.0))
    call = call_for(admitted, sample.context, sample.body, None)
    try:
        text, reply = await session.call(call, seconds)
    except TimeoutError:
        return _ended(f"it ran longer than {seconds:.2g} s on a handful of records")
    except WorkerLost:
        return _ended("its worker was ended; it asks for too much memory, or for what the jail forbids")
    return observe(text, reply)


def _ended(why: str) -> Observed:
    return observe(None, Reply(502, trouble=Trouble("plan_failed", why)))
