"""Asks models on behalf of callers: within the budgets, over the line, and with every call written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

from sandbox_runtime.planning import Answer, Ask, ModelCall, Repair, Task
from service.errors import PlannerFailed
from service.limits.limiter import Admission
from service.planning.allowance import SERVICE, Allowance
from service.planning.asker import Asker
from service.planning.holds import Holds
from service.planning.line import Line
from service.pool.shares import payer_of
from service.telemetry.spans import Span

_log: FilteringBoundLogger = structlog.get_logger("lars.planner")
_LEAST_TOKENS: Final = 16
_RULES_TOKENS: Final = 1000  # of a prompt, beside what is given; those of a plan are more
_BYTES_PER_TOKEN: Final = 3
_FIGURES_SECONDS: Final = 1.0  # they are at hand, or the planner does not answer at all
_SOON: Final = 1.0  # seconds after which a question in flight may be over
_NOT_CONFIGURED: Final = (
    "no language model is configured: set OPENAI_API_KEY, ANTHROPIC_API_KEY, TOGETHER_API_KEY or "
    "LARS_LLM_BASE_URL, and LARS_DEFAULT_PROVIDER if it is builtin"
)


class BadReply(PlannerFailed):
    """The model wrote nothing that can be used. ``reply``: what it wrote."""

    def __init__(self, detail: str, reply: str) -> None:
        super().__init__("llm_bad_reply", detail)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Question:
    """See ``sandbox_runtime.planning`` for what is ``given`` for each task. ``deadline``: a
    ``time.monotonic()`` value, None where only LARS_LLM_TIMEOUT counts."""

    task: Task
    given: Mapping[str, Any]
    deadline: float | None = None
    repair: Repair | None = None


class Planning:
    """One front's. ``timeout``: seconds for one question; ``request_tokens``: for all questions of one
    asker."""

    def __init__(self, line: Line, allowance: Allowance, timeout: float, request_tokens: int) -> None:
        self.line = line
        self.allowance = allowance
        self._timeout = timeout
        self._request_tokens = request_tokens
        self._holds = Holds()

    @property
    def configured(self) -> bool:
        """Whether there is a model to ask, as far as is known: while the planner is down, there may be."""
        standing = self.line.standing
        return self.line.expected and (standing is None or bool(standing.ready))

    def check_configured(self) -> None:
        """PlannerFailed, naming what to set, unless it is ``configured``."""
        standing = self.line.standing
        if not self.line.expected:
            raise PlannerFailed("planner_not_configured", _NOT_CONFIGURED)
        if standing is not None and not standing.ready:
            raise PlannerFailed("planner_not_configured", "; ".join(standing.why.values()) or _NOT_CONFIGURED)

    async def ask(self, asker: Asker, question: Question) -> Mapping[str, Any]:
        """The output that the task has. BadReply, which one repair may help; PlannerFailed; RateLimited when
        the key has no tokens left; LimitsUnavailable."""
        self.check_configured()
        day = await self.allowance.open()
        seconds = self._timeout
        if question.deadline is not None:
            seconds = min(seconds, question.deadline - time.monotonic())
        if seconds <= 0:
            raise PlannerFailed("llm_timeout", "the request's time was over before a model could be asked")
        if asker.admission is not None:
            await asker.admission.look()
        tokens = self._tokens_for(asker, day)
        payer = payer_of(asker.principal)
        ask = Ask(0, question.task, question.given, seconds, tokens, question.repair, asker.trace, payer)
        with self._holds.holding((asker.principal, SERVICE), tokens):
            answer = await self._answer_to(ask, asker, day)
            await asker.pay(answer.calls)
            await self.allowance.spend(day, sum(call.tokens for call in answer.calls))
        return _output(answer, question.task)

    async def figures(self) -> Mapping[str, Any] | None:
        """What the planner has counted since it stands; None where there is none."""
        if self.line.standing is None:
            return None
        try:
            async with asyncio.timeout(_FIGURES_SECONDS):
                answer = await self.line.ask(Ask(0, "figures", {}, _FIGURES_SECONDS, 0))
        except (PlannerFailed, TimeoutError):
            return None
        return answer.output

    async def _answer_to(self, ask: Ask, asker: Asker, day: Admission | None) -> Answer:
        try:
            with Span("ask planner") as span:
                span.tell("lars.task", ask.task)
                trace = ask.trace if span.trace is None else span.trace.traceparent
                return await self.line.ask(replace(ask, trace=trace))
        except asyncio.CancelledError:
            # The provider has its prompt, and is paid for it: going away before the answer is not free.
            tokens = _RULES_TOKENS + len(orjson.dumps(ask.given)) // _BYTES_PER_TOKEN
            await asker.charge(tokens)
            await self.allowance.spend(day, tokens)
            raise

    def _tokens_for(self, asker: Asker, day: Admission | None) -> int:
        if asker.admission is not None:
            asker.admission.need_tokens()
        used = sum(call.tokens for call in asker.calls)
        left = (self._request_tokens if asker.budget is None else asker.budget) - used
        if asker.left is not None:
            left = min(left, self._unheld(asker.principal, asker.left, "llm_request_budget"))
        of_day = None if day is None else day.tokens_left()
        if of_day is not None:
            left = min(left, self._unheld(SERVICE, of_day, "llm_day_budget"))
        if left < _LEAST_TOKENS:
            detail = f"{used} tokens are used for this request and {max(left, 0)} are left"
            limit = (
                "LARS_LLM_REQUEST_TOKENS" if asker.budget is None else "budget_tokens (LARS_IMPROVE_TOKENS)"
            )
            raise PlannerFailed(
                "llm_request_budget", f"{detail}; {limit} or the key's tokens would have to be more"
            )
        return left

    def _unheld(self, name: str, left: int, code: str) -> int:
        """Of a budget, what no question in flight may use. PlannerFailed when that is all there is."""
        held = self._holds.of(name)
        if held and left - held < _LEAST_TOKENS:
            detail = f"{left} tokens are left, and questions that are being answered may use {held}"
            raise PlannerFailed(code, detail, retry_after=_SOON)
        return left - held


def _output(answer: Answer, task: Task) -> Mapping[str, Any]:
    for call in answer.calls:
        _tell(call, task)
    failure = answer.failure
    if failure is None:
        return answer.output or {}
    if failure.code == "llm_bad_reply":
        raise BadReply(failure.detail, failure.reply)
    raise PlannerFailed(failure.code, failure.detail, retry_after=failure.retry_after)


def _tell(call: ModelCall, task: Task) -> None:
    level = _log.info if call.outcome == "ok" else _log.warning
    level(
        "model_call",
        task=task,
        provider=call.provider,
        model=call.model,
        outcome=call.outcome,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cached_tokens=call.cached_tokens,
        cost_usd=call.cost,
        call_ms=round(call.seconds * 1000, 1),
    )
