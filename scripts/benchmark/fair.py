"""The fair rows: how long one caller's requests take beside another's who sends ten times as many.

The victim's own load is the same alone and beside the greedy one, and both are measured in turns on one
service.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import orjson

from scripts.benchmark import mix, processes
from scripts.benchmark.asking import ask
from scripts.benchmark.contest import EXECUTE_BODY, Effort
from scripts.benchmark.load import Ask, Plan, Result
from scripts.benchmark.rows import Goal, Row, show_time
from scripts.benchmark.stats import Spread, percentile, ratios

FACTOR = 10
GOAL = Goal(2.0, at_least=False, text="<= 2")
VICTIM, GREEDY = "bench-victim", "bench-greedy"
_CONNECTIONS = 2
_OPEN_CONNECTIONS = 16
_SESSIONS = 4
_LEAD_SECONDS = 0.5  # the greedy one is there before the victim comes, and stays until it has left
_SHARE = 0.95
_BURN = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
_SLEEP = "import time\ntime.sleep(0.2)"
_LONGER = 3  # so many times as long as the others: programs of 200 ms give few samples


@dataclass(frozen=True, slots=True)
class Case:
    """``mix_of`` a key: what it sends. ``paced``: on time, the victim a tenth of what the service can do and
    the greedy one all of it, in place of waiting for answers. ``longer``: times the usual seconds."""

    what: str
    mix_of: Callable[[str], tuple[Ask, ...]]
    paced: bool = False
    longer: int = 1

    def plan(self, port: int, key: str, seconds: float, rate: float | None) -> Plan:
        """What the load client of this key does, ``rate`` being the victim's."""
        greedy = key == GREEDY
        times = FACTOR if greedy else 1
        connections = times * (_CONNECTIONS if rate is None else _OPEN_CONNECTIONS)
        seconds += 2 * _LEAD_SECONDS if greedy else 0
        paced = rate * times if rate is not None else None
        return Plan(port, "", "", connections, seconds, paced, self.mix_of(key))


@dataclass(frozen=True, slots=True)
class Round:
    """What the victim's requests took alone, and beside the greedy one's; seconds."""

    alone: Result
    beside: Result
    greedy: Result


def _program(code: str | None = None) -> Callable[[str], tuple[Ask, ...]]:
    body = EXECUTE_BODY if code is None else orjson.dumps({"code": code, "timeout": 30}).decode()
    return lambda key: (Ask("", "POST", "/execute", body, key=key),)


def _crud(key: str) -> tuple[Ask, ...]:
    return tuple(replace(one, key=key) for one in mix.mixed(mix.places(_SESSIONS)))


CASES = (
    Case("small programs", _program()),
    Case("small programs, sent on time", _program(), paced=True),
    Case("programs of 200 ms of CPU", _program(_BURN), longer=_LONGER),
    Case("programs that sleep 200 ms", _program(_SLEEP), longer=_LONGER),
    Case("CRUD in sessions", _crud),
    Case("CRUD in sessions, sent on time", _crud, paced=True),
)


def fair_rows(effort: Effort) -> list[Row]:
    """One row for each case."""
    rows = []
    with processes.service() as service:
        for case in CASES:
            _renew(service.port)
            rate = _tenth(case, service.port, effort) if case.paced else None
            _alone(case, service.port, effort.warm_up, rate)
            seconds = effort.seconds * case.longer
            rounds = []
            for _ in range(effort.rounds):
                _renew(service.port)
                alone = _alone(case, service.port, seconds, rate)
                rounds.append(Round(alone, *_together(case, service.port, seconds, rate)))
            rows += rows_of(case.what, rounds)
    return rows


def _renew(port: int) -> None:
    content = orjson.dumps(mix.content()).decode()
    for key in (VICTIM, GREEDY):
        for name in mix.names(_SESSIONS):
            path = f"/_/sessions/{name}/import?replace=true"
            ask(port, Ask("import", "POST", path, content, name, key))


def _tenth(case: Case, port: int, effort: Effort) -> float:
    """A tenth of what the greedy one can get alone, per second."""
    plan = case.plan(port, GREEDY, effort.seconds, None)
    return processes.load(plan).success_rate() / FACTOR


def _alone(case: Case, port: int, seconds: float, rate: float | None) -> Result:
    return processes.load(case.plan(port, VICTIM, seconds, rate))


def _together(case: Case, port: int, seconds: float, rate: float | None) -> tuple[Result, Result]:
    with ThreadPoolExecutor(1) as other:
        greedy = other.submit(processes.load, case.plan(port, GREEDY, seconds, rate))
        time.sleep(_LEAD_SECONDS)
        beside = _alone(case, port, seconds, rate)
        return beside, greedy.result()


def rows_of(what: str, rounds: list[Round]) -> list[Row]:
    """The ratio of the 95th percentiles, and what came of the greedy one's requests."""
    alone, beside = [p95(turn.alone) for turn in rounds], [p95(turn.beside) for turn in rounds]
    return [
        Row(
            name="fair",
            what=f"{what}: p95 beside {FACTOR} x the load against alone",
            measured=show_time(Spread.of(beside).median),
            baseline=show_time(Spread.of(alone).median),
            value=Spread.of(ratios(beside, alone)),
            goal=GOAL,
        ),
        _others(what, rounds),
    ]


def p95(result: Result) -> float:
    """Of all answers, whatever their status; seconds."""
    return percentile([time for times in result.latencies.values() for time in times], _SHARE)


def _others(what: str, rounds: list[Round]) -> Row:
    refused = sum(_failures(turn.alone) + _failures(turn.beside) for turn in rounds)
    greedy = Spread.of([turn.greedy.success_rate() for turn in rounds]).median
    victim = Spread.of([turn.beside.success_rate() for turn in rounds]).median
    return Row(
        "fair",
        f"{what}, answers per second",
        f"{victim:,.0f} beside {greedy:,.0f}",
        f"{refused} of the victim's refused",
    )


def _failures(result: Result) -> int:
    failures = sum(len(times) for status, times in result.latencies.items() if status[0] != "2")
    return failures + result.unanswered
