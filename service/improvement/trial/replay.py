"""Calls that are tried on a version, one after the other in a worker that is theirs alone."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sandbox_runtime.function import Invocation, Module, Outcome
from service.errors import WorkerLost
from service.functions.call import ContractWorker
from service.functions.contracts import Contracts
from service.improvement.trial.replies import MAX_ANSWER, PROCESS_ENDED, TIMED_OUT, Question, Reply
from service.pool.dialogue import NotTaken
from service.pool.job import Spent

_WAIT = 10.0  # seconds for a worker to come
_BEGINNING = 1000  # bytes kept of an answer that is too long
_LATE = Reply("timeout", error=TIMED_OUT)
_ENDED = Reply("ended", error=PROCESS_ENDED)


class OutOfTime(Exception):
    """The time for all of it was over in the middle."""


class Replayer:
    """Of the function ``name``. ``seconds``: how long its module may take to be imported."""

    def __init__(self, contracts: Contracts, name: str, seconds: float) -> None:
        self._contracts = contracts
        self._name = name
        self._seconds = seconds

    async def replay(
        self, module: Module, asked: Sequence[Question], end: float, spent: Spent
    ) -> list[Reply]:
        """A reply to each, fewer where one that is not to ``go_on`` had none. A fresh worker for the first,
        and after each that left none to be asked. OutOfTime when ``end``, a ``time.monotonic()`` value,
        came first; errors of the service."""
        replies: list[Reply] = []
        while len(replies) < len(asked):
            replies += await self._in_one_worker(module, asked[len(replies) :], end, spent)
            if replies[-1].unfinished and not asked[len(replies) - 1].go_on:
                break
        return replies

    async def _in_one_worker(
        self, module: Module, asked: Sequence[Question], end: float, spent: Spent
    ) -> list[Reply]:
        """At least one reply. The import takes nothing of the first call's time."""
        async with self._contracts.trial(time.monotonic() + _WAIT) as worker:
            early = await self._import(worker, module, end, spent)
            if early is not None:
                return [early]
            replies: list[Reply] = []
            for question in asked:
                replies.append(await self._ask(worker, (module, question), end, spent))
                if not worker.usable:
                    break
            return replies

    async def _import(self, worker: ContractWorker, module: Module, end: float, spent: Spent) -> Reply | None:
        """None when the module is there, or what is wrong with it will be said to the first call."""
        try:
            with worker.until(min(time.monotonic() + self._seconds, end)):
                await worker.inspect(module, self._name, spent)
        except TimeoutError:
            return _late(end)
        except (NotTaken, WorkerLost) as error:
            return _ended(worker, error)
        return None

    async def _ask(
        self, worker: ContractWorker, what: tuple[Module, Question], end: float, spent: Spent
    ) -> Reply:
        module, question = what
        call = Invocation(module.digest, self._name, question.body, question.query)
        try:
            with worker.until(min(time.monotonic() + question.seconds, end)):
                return _reply(*await worker.invoke(module, call, spent))
        except TimeoutError:
            return _late(end)
        except (NotTaken, WorkerLost) as error:
            return _ended(worker, error)


def _reply(value: bytes | None, outcome: Outcome) -> Reply:
    fault = outcome.error
    if fault is not None:
        return Reply("error", error=fault.type, said=fault.message, run=outcome.run)
    if value is None:
        return Reply("wrong", error="wrong arguments", said=outcome.wrong[0].message, run=outcome.run)
    if len(value) > MAX_ANSWER:
        return Reply("long", value[:_BEGINNING], run=outcome.run)
    return Reply("ok", value, run=outcome.run)


def _late(end: float) -> Reply:
    if time.monotonic() >= end:
        raise OutOfTime
    return _LATE


def _ended(worker: ContractWorker, error: Exception) -> Reply:
    """WorkerLost when its zygote died or the front shuts down: that says nothing of the function."""
    if worker.innocent:
        raise WorkerLost from error
    return _ENDED
