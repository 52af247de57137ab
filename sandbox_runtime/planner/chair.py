"""One model with all that is remembered of it: how it has been, how many ask it, what it does not take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sandbox_runtime.planner.breaker import SPENT_COOL_DOWN, Breaker
from sandbox_runtime.planner.decisions import is_trouble
from sandbox_runtime.planner.gate import Gate
from sandbox_runtime.planner.model import UNKNOWN_USAGE, CallFailed, Model, ModelReply, ModelRequest
from sandbox_runtime.planner.status import is_about_schema

_SPENT = "llm_spend_limit"


@dataclass(frozen=True, slots=True)
class Clock:
    """``draw``: a random number, at least 0 and below 1. ``pause`` waits so many seconds."""

    now: Callable[[], float]
    draw: Callable[[], float]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


class Chair:
    """``model`` may be asked through ``call`` only."""

    def __init__(self, model: Model, at_once: int, clock: Clock) -> None:
        self.model = model
        self.takes_schema = True
        self._clock = clock
        self._gate = Gate(model.provider, at_once)
        self._breaker = Breaker(clock.now, clock.draw)

    async def call(
        self, request: ModelRequest, seconds: float, payer: str
    ) -> tuple[ModelReply | CallFailed, float]:
        """One request, on the payer's share of the places, and the seconds that it took. CallFailed when
        none was made: the model is left alone for a while, or too many ask it, or the time ended before it
        was its turn."""
        try:
            async with asyncio.timeout(seconds) as limit, self._gate.passing(payer):
                self._check_breaker()
                return await self._timed(request, limit, payer)
        except TimeoutError:
            raise CallFailed("llm_timeout", f"no place was free at {self.model.provider} in time") from None

    def refuse_schema(self, failed: CallFailed) -> bool:
        """Whether this failure means that the model is to be asked without a schema, from now on."""
        if not self.takes_schema or not is_about_schema(failed):
            return False
        self.takes_schema = False
        return True

    def _check_breaker(self) -> None:
        wait = self._breaker.wait()
        if wait:
            code = _SPENT if self._breaker.reason == _SPENT else "llm_unavailable"
            detail = f"{self.model.provider} {self.model.name} failed repeatedly ({self._breaker.reason})"
            failed = CallFailed(code, f"{detail}; it is not asked for {wait:.0f} s more")
            failed.retry_after = wait
            raise failed

    async def _timed(
        self, request: ModelRequest, limit: asyncio.Timeout, payer: str
    ) -> tuple[ModelReply | CallFailed, float]:
        started = self._clock.now()
        outcome: ModelReply | CallFailed | None = None
        try:
            outcome = await self.model.call(request)
        except CallFailed as failed:
            outcome = failed
        except asyncio.CancelledError:
            if not limit.expired():
                raise
            detail = f"{self.model.provider} {self.model.name} did not answer in time"
            outcome = CallFailed(
                "llm_timeout", detail, usage=UNKNOWN_USAGE
            )  # it may have written, and billed
        finally:
            self._note(outcome, payer)
        return outcome, self._clock.now() - started

    def _note(self, outcome: ModelReply | CallFailed | None, payer: str) -> None:
        if outcome is None:
            self._breaker.gave_up()
        elif isinstance(outcome, ModelReply):
            self._breaker.succeeded()
        elif outcome.code == _SPENT:
            self._breaker.failed(_SPENT, SPENT_COOL_DOWN)
        elif is_trouble(outcome):
            # Whoever asks for what takes too long must not have it taken away from everybody else.
            late = outcome.code == "llm_timeout" and not outcome.status
            self._breaker.failed(outcome.code, asker=payer if late else "")
        else:
            self._breaker.succeeded()  # it answers; what it was asked is another matter
