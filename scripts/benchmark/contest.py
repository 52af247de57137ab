"""Contenders measured in turns (A B C, A B C, …), so that a round's ratio is of one and the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import orjson

from scripts.benchmark import processes
from scripts.benchmark.load import Plan, Result
from scripts.benchmark.program import CODE
from scripts.benchmark.stats import percentile

EXECUTE_BODY = orjson.dumps({"code": CODE}).decode()
ECHO_BODY = orjson.dumps({"message": "x" * 64, "numbers": list(range(16))}).decode()


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure. Seconds, except ``rounds``, ``samples`` (single requests) and ``stored``, the
    sessions that lie on the disk."""

    rounds: int
    seconds: float
    warm_up: float
    samples: int
    stored: int


QUICK = Effort(rounds=3, seconds=0.6, warm_up=0.4, samples=150, stored=5_000)
FULL = Effort(rounds=5, seconds=2.0, warm_up=1.0, samples=500, stored=100_000)


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn of one contender: answers per second, and the median latency in seconds (None: has none)."""

    rate: float
    p50: float | None


class Contender(Protocol):
    """One turn: ``in_flight`` requests at a time for ``seconds``."""

    def __call__(self, in_flight: int, seconds: float) -> Sample: ...


@dataclass(frozen=True, slots=True)
class Match:
    """Who is measured at which concurrency."""

    contender: str
    in_flight: int


Contest = dict[Match, list[Sample]]


def over_http(port: int, path: str, body: str, in_flight: int, seconds: float) -> Sample:
    """A closed loop. BenchError when any answer is not 200: it would not be the work that is compared."""
    result = processes.load(Plan(port, path, body, in_flight, seconds))
    _only_successes(path, result)
    return Sample(result.rate(), percentile(result.latencies["200"], 0.5))


def _only_successes(path: str, result: Result) -> None:
    others = {status: len(times) for status, times in result.latencies.items() if status != "200"}
    if others or result.unanswered:
        raise processes.BenchError(f"{path}: other answers than 200 {others}, {result.unanswered} unanswered")


@contextmanager
def contenders(names: Iterable[str]) -> Iterator[dict[str, Contender]]:
    """Start whatever these contenders need: execute, fork, cold, echo."""
    wanted = set(names)
    running: dict[str, Contender] = {}
    with ExitStack() as stack:
        if "execute" in wanted:
            port = stack.enter_context(processes.service()).port
            running["execute"] = partial(over_http, port, "/execute", EXECUTE_BODY)
        if wanted & {"cold", "echo"}:
            port = stack.enter_context(processes.baseline_app())
            running["cold"] = partial(over_http, port, "/cold", EXECUTE_BODY)
            running["echo"] = partial(over_http, port, "/echo", ECHO_BODY)
        if "fork" in wanted:
            forks = stack.enter_context(processes.fork_baseline())
            running["fork"] = lambda in_flight, seconds: Sample(forks.rate(in_flight, seconds), None)
        yield running


Starter = Callable[[Iterable[str]], AbstractContextManager[dict[str, Contender]]]


def compete(matches: list[Match], effort: Effort, start: Starter = contenders) -> Contest:
    """Every match once per round, after a warm-up."""
    contest: Contest = {match: [] for match in matches}
    with start(match.contender for match in matches) as running:
        for match in matches:
            running[match.contender](match.in_flight, effort.warm_up)
        for _ in range(effort.rounds):
            for match in matches:
                contest[match].append(running[match.contender](match.in_flight, effort.seconds))
    return contest
