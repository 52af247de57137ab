"""Examines a candidate for a function beside the version that calls get: what is cheap and certain first,
what takes long last. Nothing of what it runs is kept, and no caller waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Final

from sandbox_runtime.function import Module
from service.errors import ModuleFailed, NotFound, PolicyRefused
from service.functions.contracts import TRIALS
from service.functions.functions import Functions
from service.functions.loading import inspected
from service.functions.recorded_call import RecordedCall
from service.functions.sources import Source
from service.functions.values import Function
from service.improvement.trial.cases import CasesFound, try_cases
from service.improvement.trial.examination import Bench, Examination, Tried
from service.improvement.trial.facts import MAX_TOLD, problem_of, told, told_times
from service.improvement.trial.replay import OutOfTime, Replayer
from service.improvement.trial.replies import TIMED_OUT
from service.improvement.trial.signatures import signature_change
from service.improvement.trial.values import Case, Evidence, Goal, Samples, Verdict
from service.improvement.trial.verdict import Counts, decide, fault_of, is_unrepeatable
from service.pool.job import Spent

SECONDS: Final = 60.0
"""For one examination."""

_REPLAY_SECONDS = 40.0  # of recorded time, for the passes that must be
_PASSES = 4  # two of each version
# How many rounds of so many seconds: the shorter, the more of what is measured is noise.
_ROUNDS = ((0.25, 13), (1.0, 5), (SECONDS, 3))


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What is examined: ``candidate`` in the place of the current version of ``function``, and with what."""

    function: Function
    candidate: Source
    samples: Samples
    cases: Sequence[Case]
    goal: Goal


class Examiner:
    """``min_calls``: recorded calls of different arguments that there must be; ``seconds`` for all of one
    examination."""

    def __init__(self, functions: Functions, min_calls: int, seconds: float = SECONDS) -> None:
        self._functions = functions
        self._min_calls = min_calls
        self._seconds = seconds
        self._turns = asyncio.Semaphore(TRIALS)

    async def examine(self, rewrite: Rewrite, spent: Spent) -> Evidence:
        """What is found, TRIALS at once: one that has begun waits for no other's worker. CPU time of all
        workers is added to ``spent``. ControlUnavailable, QueueTimeout, Overloaded, NotReady, WorkerLost,
        StorageUnavailable when the service cannot examine it just now."""
        count = len(rewrite.samples.shown) + len(rewrite.samples.held_back)
        if count < self._min_calls:
            said = f"{count} recorded calls have different arguments, at least {self._min_calls} are needed"
            return Evidence("too_few_calls", said, facts={"calls": _told_samples(rewrite.samples)})
        function, functions = rewrite.function, self._functions
        try:
            signature = await inspected(functions, function.spec, rewrite.candidate, spent)
        except PolicyRefused as error:
            where = {name: error.extra[name] for name in ("rule", "line", "column")}
            return Evidence("policy_refused", error.detail, error.detail, facts={"refusal": where})
        except (ModuleFailed, NotFound) as error:
            return Evidence("module_failed", error.detail, error.detail)
        change = signature_change(function.signature, signature)
        if change:
            said = f"the signature must stay as it is: {change}"
            return Evidence("signature_changed", said, said, signature)
        async with self._turns:
            found = await self._replayed(rewrite, spent)
        return replace(found, signature=signature)

    async def _replayed(self, rewrite: Rewrite, spent: Spent) -> Evidence:
        function, functions, candidate = rewrite.function, self._functions, rewrite.candidate
        tried = affordable(rewrite.samples, functions.seconds)
        if len(tried) < self._min_calls:
            said = f"only {len(tried)} recorded calls can be replayed in {self._seconds:g} s"
            return Evidence("timeout", said, facts={"calls": _told_samples(rewrite.samples)})
        live = await functions.modules.module(function.digest, function.spec.module)
        mine = Module(candidate.digest, candidate.text, live.name, max_code=functions.max_code)
        replayer = Replayer(functions.contracts, function.spec.name, functions.seconds)
        bench = Bench(replayer, functions.seconds, time.monotonic() + self._seconds, spent)
        examination = Examination(bench, live, mine, tried, rewrite.goal)
        course = _Course(rewrite, bench, examination, self._min_calls)
        return await course.run(live, mine)


class _Course:
    """One examination from the first replay to the evidence. ``least``: recorded calls that there must
    be."""

    def __init__(self, rewrite: Rewrite, bench: Bench, examination: Examination, least: int) -> None:
        self._least = least
        self._rewrite = rewrite
        self._bench = bench
        self._seen = examination
        self._cases = CasesFound()

    async def run(self, live: Module, mine: Module) -> Evidence:
        """Up to the first thing that decides."""
        try:
            return self._evidence(await self._verdict(live, mine))
        except OutOfTime:
            said = "the examination did not end in time"
            return replace(self._evidence("timeout"), reason=said, problem=said)

    async def _verdict(self, live: Module, mine: Module) -> Verdict:
        seen, goal = self._seen, self._rewrite.goal
        await seen.live_pass()
        await seen.live_pass()
        if is_unrepeatable(seen.counts(), goal, self._least):
            return "unrepeatable"
        await seen.candidate_pass()
        if (fault := fault_of(self._counts())) is not None:
            return fault
        self._cases = await try_cases(self._bench, live, mine, self._rewrite.cases)
        if (fault := fault_of(self._counts())) is not None:
            return fault
        await seen.candidate_pass()
        await self._more_rounds()
        return decide(self._counts(), seen.times(), goal, self._least)

    async def _more_rounds(self) -> None:
        """As many as there is time for. They are for the times, so that none has to be."""
        seconds = self._seen.round_seconds
        rounds = next(count for most, count in _ROUNDS if seconds <= most)
        for number in range(rounds - _PASSES // 2):
            left = self._bench.end - time.monotonic()
            if fault_of(self._counts()) is not None or left < 3 * seconds:
                return
            passes = [self._seen.live_pass, self._seen.candidate_pass]
            for one_pass in passes[:: -1 if number % 2 else 1]:
                await one_pass()

    def _counts(self) -> Counts:
        differ, late = len(self._cases.differences), self._cases.late
        return replace(self._seen.counts(), cases_differ=differ - late, cases_late=late)

    def _evidence(self, verdict: Verdict) -> Evidence:
        counts, times = self._counts(), self._seen.times()
        differences = [*self._seen.differences(), *self._cases.differences]
        groups = [each.group for each in differences]
        told_calls = {
            **_told_samples(self._rewrite.samples),
            "replayed": counts.answered + counts.failed,
            "unrepeatable": counts.unrepeatable,
            "compared": counts.compared,
            "mended": counts.mended,
            "differing": {"shown": groups.count("shown"), "held_back": groups.count("held_back")},
            "not_run": self._seen.not_run,
        }
        cases = {
            "given": len(self._rewrite.cases),
            "compared": self._cases.compared,
            "differing": groups.count("case"),
        }
        facts = {
            "calls": told_calls,
            "differences": [told(each) for each in differences[:MAX_TOLD]],
            "cases": cases,
            "times_ms": told_times(times),
            "cpu_s": {side: round(used, 4) for side, used in self._seen.cpu.items()},
        }
        reason = _reason(verdict, counts, times.ratio)
        problem = problem_of(differences) if differences and verdict != "unrepeatable" else reason
        problem = "" if verdict == "admitted" else problem
        return Evidence(verdict, reason, problem, facts=facts, mended=counts.mended)


def affordable(samples: Samples, most: float) -> list[Tried]:
    """The calls that can be replayed in the time there is, by how long they took: of both groups in turn
    the newest first. In the order in which they are asked: what is shown comes first, and in each group the
    oldest."""
    shown = [Tried(call, "shown") for call in reversed(samples.shown)]
    held_back = [Tried(call, "held_back") for call in reversed(samples.held_back)]
    turns: Iterator[Tried | None] = chain.from_iterable(zip_longest(held_back, shown))
    left, kept = _REPLAY_SECONDS, []
    for tried in turns:
        if tried is not None and (cost := _cost(tried.call, most)) <= left:
            left -= cost
            kept.append(tried)
    return sorted(kept, key=lambda tried: (tried.group == "held_back", tried.call.time))


def _cost(call: RecordedCall, most: float) -> float:
    """Seconds. What was not finished is asked once of each version."""
    return min(call.run, most) * (_PASSES // 2 if call.error == TIMED_OUT else _PASSES)


def _told_samples(samples: Samples) -> dict[str, object]:
    shown, held_back = len(samples.shown), len(samples.held_back)
    return {"recorded": shown + held_back, "shown": shown, "held_back": held_back}


def _reason(verdict: Verdict, counts: Counts, ratio: float | None) -> str:
    part = "" if ratio is None else f"; it takes {ratio:.2f} of the live version's time"
    match verdict:
        case "unrepeatable":
            said = (
                f"the live version answers {counts.unrepeatable} of {counts.answered + counts.failed} calls"
            )
            left = f"{counts.compared} are left, of which the model was shown {counts.shown}"
            return f"{said} otherwise than it did when they were recorded; {left}"
        case "timeout":
            return f"{counts.late} recorded calls and {counts.cases_late} cases were not answered in time"
        case "differs":
            return f"{counts.differ} of {counts.compared} recorded calls are answered otherwise"
        case "case_differs":
            return f"{counts.cases_differ} cases are answered otherwise than by the live version"
        case _:
            return f"{counts.compared} calls agree, {counts.mended} of them mended{part}"
