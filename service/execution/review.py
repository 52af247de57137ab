"""A model reads a program before it runs, and may write a better one. Its word decides nothing: what it wrote
runs in the same jail, under the same policy, and where that refuses it the caller's own program runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from sandbox_runtime.job import NOTHING_FOUND
from service.access.passage import principal_of
from service.access.principal import Principal
from service.access.scopes import Scope
from service.errors import LarsError, kind_of
from service.execution.problem import problem_of
from service.execution.request import running
from service.execution.running import run_for
from service.http.record import record_of
from service.planning.asker import asker_of
from service.planning.conversation import Conversation
from service.pool.job import Job, Outcome
from service.state import ServiceState, state_of

_UNREVIEWED: Final = "No model reviewed it: {}."
_NO_SCOPE: Final = "the key has not the scope generate"
_NO_MODEL: Final = "no language model is configured"
_SILENT: Final = "The model reviewed it without a word."


@dataclass(frozen=True, slots=True)
class Review:
    """``said``: what the model found, or why there is no review (not ``by_model``). ``better``: what is to
    run in the place of the program, or None."""

    said: str
    by_model: bool = False
    better: str | None = None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """``executed``: the program that ran. ``validation``: what review and static findings say of it."""

    outcome: Outcome
    executed: str
    validation: str


async def run_reviewed(request: Request, job: Job) -> Reviewed:
    """Review, run. Raises as ``Pool.run`` does; a review that fails is only told of."""
    original = job.program.code
    why = _why_unreviewed(state_of(request), principal_of(request))
    if why is not None:
        outcome = await run_for(request, job)
        return Reviewed(outcome, original, validation_of(Review(_UNREVIEWED.format(why)), outcome))
    review = await _review(request, job)
    unused = None
    if review.better is not None:
        outcome = await run_for(request, running(job, review.better))
        problem = problem_of(outcome)
        if problem is None or problem.kind == "failed":
            return Reviewed(outcome, review.better, validation_of(review, outcome))
        unused = problem.text
    outcome = await run_for(request, running(job, original))
    return Reviewed(outcome, original, validation_of(review, outcome, unused))


def validation_of(review: Review, outcome: Outcome, unused: str | None = None) -> str:
    """The member ``validation_result``. ``unused``: why what the model wrote did not run. Pure."""
    findings = outcome.report.findings if outcome.report else None
    if not review.by_model:
        return f"{findings} {review.said}" if findings else review.said
    sentences = [review.said]
    if unused is not None:
        sentences.append(f"The original ran, and not what the model wrote: {unused}.")
    if findings and findings != NOTHING_FOUND:
        sentences.append(f"Static findings: {findings}")
    return " ".join(sentences)


async def _review(request: Request, job: Job) -> Review:
    state, program = state_of(request), job.program
    given = {"code": program.code, "policy": program.policy, "findings": ""}
    asker = asker_of(request, state.passage.meter)
    conversation = Conversation(state.planning, asker, "review", given, state.settings.llm_timeout)
    try:
        return review_of(await conversation.ask_twice(), program.code)
    except LarsError as error:
        return Review(_UNREVIEWED.format(f"the review failed with {kind_of(error).code}"))
    finally:
        record_of(request.scope).tokens = asker.tokens


def _why_unreviewed(state: ServiceState, principal: Principal) -> str | None:
    if not state.planning.configured:
        return _NO_MODEL
    return None if Scope.GENERATE in principal.scopes else _NO_SCOPE


def review_of(output: Mapping[str, Any], code: str) -> Review:
    """What the model's output says of ``code``. Pure."""
    said, better = output.get("assessment"), output.get("code")
    said = said.strip() if isinstance(said, str) else ""
    is_other = isinstance(better, str) and better.strip() not in ("", code.strip())
    return Review(said or _SILENT, by_model=True, better=better if is_other else None)
