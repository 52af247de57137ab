"""From a question to its answer: which model is asked, how often, for how long and for how many tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox_runtime.planner import budget, decisions, prompting, replies
from sandbox_runtime.planner.chair import Chair, Clock
from sandbox_runtime.planner.debugging import tell_exchange
from sandbox_runtime.planner.figures import Figures
from sandbox_runtime.planner.hiding import Hiding
from sandbox_runtime.planner.model import CallFailed, ModelReply, ModelRequest, Prompt
from sandbox_runtime.planner.providers import mock
from sandbox_runtime.planner.providers.opening import Opened
from sandbox_runtime.planner.tracing import Tracing
from sandbox_runtime.planning import Answer, Ask, Failure, ModelCall, PlannerConfig

_NOBODY: Final = "no language model is configured"


class Engine:
    """``answer`` is the only way in; many may be in it at once."""

    def __init__(self, config: PlannerConfig, opened: Opened, clock: Clock, tracing: Tracing) -> None:
        self._config = config
        self._why = opened.why
        self._clock = clock
        self._tracing = tracing
        self._figures = Figures()
        self._hiding = Hiding(opened.keys)
        self._chairs = [Chair(model, config.at_once, clock) for model in opened.models]

    async def answer(self, ask: Ask) -> Answer:
        """Output or failure. WireError when what is given is not what the task needs."""
        if ask.task == "figures":
            return Answer(ask.id, self._figures.as_json())
        if not self._chairs:
            why = "; ".join(self._why.values()) or _NOBODY
            return Answer(ask.id, failure=Failure("planner_not_configured", why))
        question = _Question(ask, prompting.prompt_of(ask), self._clock.now() + ask.seconds)
        failed: list[CallFailed] = []
        for at, chair in enumerate(self._chairs):
            try:
                reply = await self._asked(chair, question, len(self._chairs) - at - 1)
            except CallFailed as failure:
                failed.append(failure)
                if decisions.asks_another(failure) and decisions.worth_a_call(question.left(self._clock)):
                    continue
                break
            return self._read(question, reply)
        return Answer(ask.id, failure=_failure_of(failed), calls=tuple(question.calls))

    async def close(self) -> None:
        """End all connections."""
        for chair in self._chairs:
            await chair.model.close()

    async def _asked(self, chair: Chair, question: _Question, others: int) -> ModelReply:
        """What this model writes, at the latest at the second attempt."""
        attempt = 1
        until = self._clock.now() + decisions.share_of(question.left(self._clock), others)
        while True:
            try:
                return await self._called(chair, question, until - self._clock.now())
            except CallFailed as failed:
                if chair.refuse_schema(failed):
                    continue
                left = until - self._clock.now()
                wait = decisions.wait_before_retry(failed, attempt, left, self._clock.draw())
                if wait is None:
                    raise
            attempt += 1
            await self._clock.pause(wait)

    async def _called(self, chair: Chair, question: _Question, seconds: float) -> ModelReply:
        """One request. It is counted and traced whatever comes of it."""
        ask, model = question.ask, chair.model
        schema = prompting.schema_of(ask.task) if chair.takes_schema else None
        needed = budget.estimate(question.prompt, schema)
        most = budget.max_output(question.tokens_left, needed, self._config.max_output)
        request = ModelRequest(question.prompt, schema, most, prompting.cache_key(ask.task))
        span = self._tracing.span(model, request, ask.trace)
        outcome, took = await chair.call(request, seconds, ask.payer)
        outcome = self._hiding.outcome(outcome)
        call = self._counted(chair, outcome, took, needed)
        question.calls.append(call)
        span.end(call)
        if self._config.debug:
            tell_exchange(ask, request, call, outcome)
        if isinstance(outcome, CallFailed):
            raise outcome
        return outcome

    def _counted(self, chair: Chair, outcome: ModelReply | CallFailed, took: float, needed: int) -> ModelCall:
        model, usage = chair.model, outcome.usage
        if model.provider == mock.NAME:
            pass  # nobody is paid
        elif isinstance(outcome, ModelReply):
            usage = budget.counted(usage, needed, outcome.text)
        elif outcome.code == "llm_timeout" and not outcome.status:
            usage = budget.counted(usage, needed, "")  # the provider has read the prompt, and has it paid
        call = ModelCall(
            provider=model.provider,
            model=model.name,
            outcome=outcome.code if isinstance(outcome, CallFailed) else "ok",
            input_tokens=usage.input,
            output_tokens=usage.output,
            cached_tokens=usage.cached,
            cost=budget.cost(self._config.prices, model.name, usage),
            seconds=took,
        )
        self._figures.count(call)
        return call

    def _read(self, question: _Question, reply: ModelReply) -> Answer:
        ask, calls = question.ask, tuple(question.calls)
        output: Mapping[str, Any] | None = replies.output_of(ask.task, reply.text)
        if output is None:
            detail = f"what the model wrote has no {_WANTED[ask.task]} that can be used"
            failure = Failure("llm_bad_reply", detail, reply=replies.shown(reply.text))
            return Answer(ask.id, failure=failure, calls=calls)
        if ask.task == "review" and output["code"] == ask.given["code"]:
            output = {**output, "code": None}
        return Answer(ask.id, output, calls=calls)


_WANTED: Final = {"plan": "plan", "generate": "program", "review": "assessment", "improve": "module"}


@dataclass(slots=True)
class _Question:
    """``deadline``: of the clock. ``calls``: those that were made for it."""

    ask: Ask
    prompt: Prompt
    deadline: float
    calls: list[ModelCall]

    def __init__(self, ask: Ask, prompt: Prompt, deadline: float) -> None:
        self.ask, self.prompt, self.deadline, self.calls = ask, prompt, deadline, []

    def left(self, clock: Clock) -> float:
        """Seconds."""
        return self.deadline - clock.now()

    @property
    def tokens_left(self) -> int:
        """Of those that the question may use."""
        return self.ask.tokens - sum(call.tokens for call in self.calls)


def _failure_of(failed: list[CallFailed]) -> Failure:
    """What is final is told as it is. Of several models in trouble the first one's is the code, for it is the
    one that is meant to be asked, and each is in the detail."""
    last = failed[-1]
    told = last if not decisions.asks_another(last) else failed[0]
    details = [told.detail] if told is last and told is not failed[0] else [each.detail for each in failed]
    waits = [each.retry_after for each in failed if each.retry_after is not None]
    return Failure(told.code, "; ".join(details), min(waits) if waits else None)
