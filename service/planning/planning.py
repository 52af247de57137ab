"""Asks models on behalf of callers: within the budgets, over the line, and with every call written down."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from structlog.typing import FilteringBoundLogger

from sandbox_runtime.planning import Answer, Ask, ModelCall, Repair, Task
from service.errors import PlannerFailed
from service.planning.allowance import Allowance
from service.planning.asker import Asker
from service.planning.line import Line

_log: FilteringBoundLogger = structlog.get_logger("lars.planner")
_LEAST_TOKENS: Final = 16
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
        tokens = self._tokens_for(asker)
        ask = Ask(0, question.task, question.given, seconds, tokens, question.repair, asker.trace)
        answer = await self.line.ask(ask)
        await asker.pay(answer.calls)
        await self.allowance.spend(day, sum(call.tokens for call in answer.calls))
        return _output(answer, question.task)

    async def figures(self) -> Mapping[str, Any] | None:
        """What the planner has counted since it stands; None where there is none."""
        if self.line.standing is None:
            return None
        try:
            answer = await self.line.ask(Ask(0, "figures", {}, self._timeout, 0))
        except PlannerFailed:
            return None
        return answer.output

    def _tokens_for(self, asker: Asker) -> int:
        if asker.admission is not None:
            asker.admission.need_tokens()
        used = sum(call.tokens for call in asker.calls)
        left = self._request_tokens - used
        if asker.left is not None:
            left = min(left, asker.left)
        if left < _LEAST_TOKENS:
            detail = f"{used} tokens are used for this request and {max(left, 0)} are left"
            raise PlannerFailed(
                "llm_request_budget",
                f"{detail}; LARS_LLM_REQUEST_TOKENS or the key's tokens would have to be more",
            )
        return left


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
