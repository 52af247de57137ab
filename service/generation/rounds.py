"""From a question to a program that ran: ask, run, and ask again where that is of use.

    round ends with                              asks again
    no usable reply, a refusal by the policy,    once, whatever the caller wants
    a program that does not compile
    a failed run (or again no Python)            while there is one of ``max_repairs``
    a good run                                   never

The reply is about the last program that ran; what hinders a later round is only told beside it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sandbox_runtime.planning import Repair
from service.errors import LarsError, PlannerFailed, kind_of
from service.execution.problem import Problem, problem_of
from service.generation.draft import Draft
from service.planning.planning import BadReply
from service.pool.job import Outcome

Write = Callable[[Repair | None], Awaitable[Draft]]
Run = Callable[[str], Awaitable[Outcome]]
Ran = tuple[Draft, Outcome]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A program that ran. ``repairs``: how often the model was asked again, before it or in vain.
    ``hindrance``: what kept the last of these from a program that ran."""

    draft: Draft
    outcome: Outcome
    repairs: int = 0
    hindrance: str | None = None


class Rounds:
    """``write`` asks the model, ``run`` runs what it wrote; both raise LarsError."""

    def __init__(self, write: Write, run: Run, max_repairs: int) -> None:
        self._write = write
        self._run = run
        self._unmended = True
        self._left = max_repairs
        self._ran: Ran | None = None

    async def go(self) -> Attempt:
        """The last program that ran. What ``write`` and ``run`` raise, unless one has; PlannerFailed when the
        policy refused every one."""
        repairs = 0
        try:
            step = await self._round(None)
            while isinstance(step, Repair):
                repairs += 1
                step = await self._round(step)
            return Attempt(*step, repairs)
        except LarsError as error:
            if self._ran is None:
                raise
            return Attempt(*self._ran, repairs, f"{kind_of(error).code}: {error.detail}")

    async def _round(self, repair: Repair | None) -> Repair | Ran:
        """One more: what to ask next, or, when this was the last, what ran."""
        try:
            draft = await self._write(repair)
        except BadReply as error:
            if not self._mend():
                raise
            return Repair(error.reply, error.detail)
        outcome = await self._run(draft.code)
        ran = draft, outcome
        problem = problem_of(outcome)
        if problem is None or problem.kind != "refused":
            self._ran = ran
        if problem is None:
            return ran
        if self._may_repair(problem):
            return Repair(draft.reply, problem.text)
        if problem.kind == "refused":
            raise PlannerFailed("llm_bad_reply", f"the model wrote what may not run, twice: {problem.text}")
        return ran

    def _may_repair(self, problem: Problem) -> bool:
        if problem.kind != "failed" and self._mend():
            return True
        if problem.kind == "refused" or not self._left:
            return False
        self._left -= 1
        return True

    def _mend(self) -> bool:
        may, self._unmended = self._unmended, False
        return may
