"""The replays of one examination, and what they have shown so far.

First pass: what is shown to the model, then what is held back, so that no answer which the model is told of
was given by a process that knew what it must not know. Every second pass is the other way round, which
shows what a version keeps from call to call. The live version goes twice before the candidate: it is the
measure.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import anyio.to_thread

from sandbox_runtime.function import Module
from service.functions.recorded_call import RecordedCall
from service.improvement.trial.facts import Difference, Group
from service.improvement.trial.replay import Replayer
from service.improvement.trial.replies import Question, Relation, Reply, relation, repeats
from service.improvement.trial.times import Times, times_of
from service.improvement.trial.values import Goal
from service.improvement.trial.verdict import Counts
from service.pool.job import Spent

_LEAST_SECONDS = 2.0
_TIMES = 10  # the recorded run that a call may take


@dataclass(frozen=True, slots=True)
class Tried:
    """A recorded call that is replayed."""

    call: RecordedCall
    group: Group


@dataclass(frozen=True, slots=True)
class Bench:
    """What versions are tried on. ``seconds``: the most that one call may take; ``end``: when all must be
    over, a ``time.monotonic()`` value."""

    replayer: Replayer
    seconds: float
    end: float
    spent: Spent


class Examination:
    """Of a candidate ``mine`` beside ``live``. Every pass raises OutOfTime, and errors of the service."""

    def __init__(self, bench: Bench, live: Module, mine: Module, tried: Sequence[Tried], goal: Goal) -> None:
        self.cpu = {"live": 0.0, "candidate": 0.0}  # seconds
        self.not_run = 0
        self._bench = bench
        self._modules = {"live": live, "candidate": mine}
        self._tried = tried
        self._mending = goal == "errors"
        self._first: dict[int, Reply] = {}  # the live version's
        self._mended: dict[int, Reply] = {}  # the candidate's, where the live version has none
        self._late: set[int] = set()
        self._differences: dict[int, Difference] = {}
        self._unrepeatable: set[int] = set()
        self._live_runs: list[dict[int, float]] = []
        self._mine_runs: list[dict[int, float]] = []
        self._took = {"live": 0.0, "candidate": 0.0}  # seconds of the last pass

    async def live_pass(self) -> None:
        """Replay the live version: the first time all calls, then those that it has repeated so far."""
        again = bool(self._live_runs)
        numbers = self._order(len(self._live_runs), self._settled() if again else range(len(self._tried)))
        replies = await self._pass("live", numbers)
        self._live_runs.append(_runs(replies))
        self._unrepeatable |= await anyio.to_thread.run_sync(self._not_repeated, replies)
        if not again:
            self._first = replies

    async def candidate_pass(self) -> None:
        """Replay the candidate: the first time all calls that are compared, then those that need not end a
        worker."""
        again = bool(self._mine_runs)
        compared = [number for number in self._first if number not in self._unrepeatable]
        numbers = self._settled() if again else compared
        replies = await self._pass("candidate", self._order(len(self._mine_runs), numbers))
        self._mine_runs.append(_runs(replies))
        self.not_run += len(numbers) - len(replies)
        compare = self._compared_again if again else self._compared
        for number, how in (await anyio.to_thread.run_sync(compare, replies)).items():
            if how == "mended":
                self._mended[number] = replies[number]
            elif how != "same":
                self._note(number, how, replies[number], again=again)

    def counts(self) -> Counts:
        """What the replays have shown."""
        failed = {number for number, tried in enumerate(self._tried) if tried.call.value is None}
        shown = {number for number, tried in enumerate(self._tried) if tried.group == "shown"}
        wrong = self._differences.keys() - self._unrepeatable
        return Counts(
            answered=len(self._tried) - len(failed),
            failed=len(failed),
            answered_unrepeatable=len(self._unrepeatable - failed),
            failed_unrepeatable=len(self._unrepeatable & failed),
            shown=len(shown - self._unrepeatable),
            mended=len(self._mended.keys() - wrong - self._unrepeatable),
            differ=len(wrong - self._late),
            late=len(wrong & self._late),
        )

    def times(self) -> Times:
        """Of the calls that both have answered in each pass."""
        return times_of(self._live_runs, self._mine_runs)

    def differences(self) -> list[Difference]:
        """The candidate's, from calls that the live version has repeated."""
        return [each for number, each in self._differences.items() if number not in self._unrepeatable]

    @property
    def round_seconds(self) -> float:
        """How long the last pass of each took, together."""
        return sum(self._took.values())

    async def _pass(self, side: str, numbers: Sequence[int]) -> dict[int, Reply]:
        bench, used, began = self._bench, self._bench.spent.cpu, time.monotonic()
        asked = [self._question(side, number) for number in numbers]
        try:
            replies = await bench.replayer.replay(self._modules[side], asked, bench.end, bench.spent)
        finally:
            self.cpu[side] += bench.spent.cpu - used
            self._took[side] = time.monotonic() - began
        return dict(zip(numbers, replies, strict=False))

    def _question(self, side: str, number: int) -> Question:
        call = self._tried[number].call
        live = self._first.get(number)
        go_on = side == "live" or (live is not None and live.unfinished)
        return Question(call.query, call.body, seconds_for(call.run, self._bench.seconds), go_on)

    def _order(self, passes: int, numbers: Sequence[int]) -> list[int]:
        return list(reversed(numbers)) if passes % 2 else list(numbers)

    def _settled(self) -> list[int]:
        """Calls that the live version has repeated, and did not have to be ended at."""
        return [
            number
            for number, reply in self._first.items()
            if number not in self._unrepeatable and not reply.unfinished
        ]

    def _not_repeated(self, replies: dict[int, Reply]) -> set[int]:
        return {number for number, reply in replies.items() if not repeats(self._tried[number].call, reply)}

    def _compared(self, replies: dict[int, Reply]) -> dict[int, Relation]:
        return {
            number: relation(self._first[number], reply, mending=self._mending)
            for number, reply in replies.items()
        }

    def _compared_again(self, replies: dict[int, Reply]) -> dict[int, Relation]:
        """With what it has answered itself, where that is not what the live version has."""
        return {
            number: relation(self._mended.get(number, self._first[number]), reply, mending=False)
            for number, reply in replies.items()
        }

    def _note(self, number: int, how: Relation, mine: Reply, *, again: bool) -> None:
        tried, live = self._tried[number], self._mended.get(number, self._first[number])
        self._late.update([number] if how == "timeout" else [])
        self._differences[number] = Difference(tried.group, tried.call, live, mine, again)


def seconds_for(run: float, most: float) -> float:
    """How long a call may take that once took so long."""
    return min(most, max(_LEAST_SECONDS, _TIMES * run))


def _runs(replies: dict[int, Reply]) -> dict[int, float]:
    return {number: reply.run for number, reply in replies.items() if reply.answered}
