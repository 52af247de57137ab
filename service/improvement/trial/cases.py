"""The calls that a model has thought of, tried on both versions. The live version says what is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import anyio.to_thread

from sandbox_runtime.function import Module
from service.improvement.trial.examination import Bench, seconds_for
from service.improvement.trial.facts import Difference
from service.improvement.trial.replies import Question, Reply, agree, case_relation
from service.improvement.trial.values import Case

MAX_CASES = 20
_SECONDS = 1.0  # for one of them


@dataclass(frozen=True, slots=True)
class CasesFound:
    """``differences``: to those that were ``compared``. ``late``: how many of them were not answered in
    time."""

    compared: int = 0
    differences: tuple[Difference, ...] = ()
    late: int = 0


async def try_cases(bench: Bench, live: Module, mine: Module, cases: Sequence[Case]) -> CasesFound:
    """Left out are those that the live version does not take, does not finish, or does not answer twice
    alike. OutOfTime; errors of the service."""
    asked = [Question(None, case.arguments, min(_SECONDS, bench.seconds), False) for case in cases]
    known = await _oracle(bench, live, asked[:MAX_CASES])
    if not known:
        return CasesFound()
    numbers = list(known)
    questions = [_with_time(asked[number], known[number], bench.seconds) for number in numbers]
    replies = await bench.replayer.replay(mine, questions, bench.end, bench.spent)
    pairs = [(cases[number], known[number], reply) for number, reply in zip(numbers, replies, strict=False)]
    return await anyio.to_thread.run_sync(partial(_found, pairs))


async def _oracle(bench: Bench, live: Module, asked: Sequence[Question]) -> dict[int, Reply]:
    """What is right, by the number of the case. The second time the other way round."""
    if not asked:
        return {}
    first = await bench.replayer.replay(live, asked, bench.end, bench.spent)
    known = {number: reply for number, reply in enumerate(first) if reply.end in ("ok", "error")}
    if not known:
        return {}
    order = list(reversed(known))
    again = await bench.replayer.replay(live, [asked[n] for n in order], bench.end, bench.spent)
    repeated = dict(zip(order, again, strict=False))
    return {n: reply for n, reply in known.items() if n in repeated and agree(reply, repeated[n])}


def _with_time(question: Question, live: Reply, most: float) -> Question:
    return Question(question.query, question.body, seconds_for(live.run, most), False)


def _found(pairs: Sequence[tuple[Case, Reply, Reply]]) -> CasesFound:
    how = [(case_relation(*pair), pair) for pair in pairs]
    wrong = [Difference("case", *pair) for found, pair in how if found in ("differs", "timeout")]
    return CasesFound(len(pairs), tuple(wrong), sum(found == "timeout" for found, _ in how))
