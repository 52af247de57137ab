"""Has a model write a plan, and lets it try once more when what it wrote is of no use."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Final

import orjson

from sandbox_runtime.planning import Repair
from service.errors import LarsError, PlannerFailed, PlanRefused
from service.planning.asker import Asker
from service.planning.planning import BadReply, Planning, Question
from service.rest.model.output import plan_of
from service.rest.model.shapes import readable
from service.rest.plan import Plan
from service.rest.plan_cache import PlanCache
from service.rest.proof.prover import Prover
from service.rest.shape import Shape

PROOFS: Final = 2  # at once; each has a session, and its worker


class _Faulty(Exception):
    """A reply of no use. ``problem`` is what its author should know; ``error`` what the caller is told."""

    def __init__(self, reply: str, error: LarsError) -> None:
        super().__init__(error.detail)
        self.reply = reply
        self.error = error


class LlmPlanner:
    """``plans``: whose judge decides what may run. ``seconds``: for one plan, repair included."""

    def __init__(self, planning: Planning, plans: PlanCache, prover: Prover, seconds: float) -> None:
        self._planning = planning
        self._plans = plans
        self._prover = prover
        self._seconds = seconds
        self._proofs = asyncio.Semaphore(PROOFS)

    async def make(self, shape: Shape, asker: Asker, rival: Plan | None) -> Plan:
        """A plan that is judged and proved; that agrees with ``rival``, where there is one. PlanRefused, and
        as ``Planning.ask`` raises."""
        deadline = time.monotonic() + self._seconds
        question = Question("plan", {"shape": readable(shape)}, deadline)
        try:
            return await self._attempt(shape, asker, question, rival)
        except _Faulty as first:
            fault = first
        repair = Repair(fault.reply, fault.error.detail)
        try:
            return await self._attempt(shape, asker, replace(question, repair=repair), rival)
        except _Faulty as second:
            raise second.error from fault.error
        except PlannerFailed as error:
            raise fault.error from error  # it may not try again; what was wrong tells more

    async def _attempt(self, shape: Shape, asker: Asker, question: Question, rival: Plan | None) -> Plan:
        try:
            output = await self._planning.ask(asker, question)
        except BadReply as error:
            raise _Faulty(error.reply, error) from error
        try:
            plan = plan_of(output, shape, rival)
            await self._plans.judge(plan.block, None, ())
            async with self._proofs:
                await self._prover.prove(shape, plan, rival)
        except PlanRefused as error:
            raise _Faulty(orjson.dumps(output).decode(), error) from error
        return plan
