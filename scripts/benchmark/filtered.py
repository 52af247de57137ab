"""The list row: a filter on a field that is often asked for, over many records of one session."""

from __future__ import annotations

from functools import partial

from scripts.benchmark import processes, stored
from scripts.benchmark.asking import ask
from scripts.benchmark.contest import ECHO_BODY, Effort, over_http
from scripts.benchmark.load import Ask, Plan
from scripts.benchmark.rows import Goal, Row, show_time
from scripts.benchmark.stats import Spread, percentile, ratios

RECORDS = 100_000
LIMIT_SECONDS = 0.010
GOAL = Goal(1.0, at_least=False, text="< 10 ms")
_SESSION = "bench-list"
_VALUES = {"owner": 1000, "state": 4}  # field -> how many different values it has
_OFTEN = 5  # times that a field is asked for before it is measured
_PAGE = 20


def record(number: int) -> dict[str, object]:
    """One of the records; ``number`` from 0."""
    return {
        "id": number + 1,
        "title": f"task number {number}",
        "owner": f"owner{number % _VALUES['owner']}",
        "state": f"state{number % _VALUES['state']}",
        "estimate": number % 17,
    }


def filtered_rows(effort: Effort) -> list[Row]:
    """Lists and echo in turns, one request at a time."""
    with processes.data_root() as root, processes.baseline_app() as echo_port:
        data = stored.data_file({"tasks": [record(number) for number in range(RECORDS)]})
        stored.store_sessions(root, [_SESSION], data)
        with processes.service({"LARS_DATA_ROOT": str(root)}) as service:
            measure = partial(_turn, service.port, effort.seconds)
            for name in _VALUES:
                for _ in range(_OFTEN):
                    ask(service.port, _asks(name)[0])
            times: dict[str, list[list[float]]] = {name: [] for name in _VALUES}
            echoes = []
            for _ in range(effort.rounds):
                for name, turns in times.items():
                    turns.append(measure(name))
                echoes.append(_echo(echo_port, effort.seconds))
    return [row for name, turns in times.items() for row in rows_of(name, turns, echoes)]


def rows_of(name: str, turns: list[list[float]], echoes: list[float]) -> list[Row]:
    """Of one field: against the limit, against echo, and the slow ones. Latencies in seconds by round."""
    medians = [percentile(turn, 0.5) for turn in turns]
    matches = RECORDS // _VALUES[name]
    what = f"{name}=… finds {matches:,} of {RECORDS:,}, page of {_PAGE}"
    shown = show_time(Spread.of(medians).median)
    p99 = percentile([latency for turn in turns for latency in turn], 0.99)
    return [
        Row(
            name="list",
            what=f"{what}: p50 against the limit",
            measured=shown,
            baseline=show_time(LIMIT_SECONDS),
            value=Spread.of([median / LIMIT_SECONDS for median in medians]),
            goal=GOAL,
        ),
        Row(
            name="list",
            what=f"{what}: p50 against echo",
            measured=shown,
            baseline=show_time(Spread.of(echoes).median),
            value=Spread.of(ratios(medians, echoes)),
        ),
        Row("list", f"{what}: p99", show_time(p99), f"{sum(map(len, turns)):,} requests"),
    ]


def _turn(port: int, seconds: float, name: str) -> list[float]:
    result = processes.load(Plan(port, "", "", 1, seconds, mix=_asks(name)))
    if set(result.latencies) != {"200"}:
        raise processes.BenchError(f"list: answers other than 200: {sorted(result.latencies)}")
    return result.latencies["200"]


def _echo(port: int, seconds: float) -> float:
    sample = over_http(port, "/echo", ECHO_BODY, 1, seconds)
    if sample.p50 is None:
        raise processes.BenchError("echo has no latency")
    return sample.p50


def _asks(name: str) -> tuple[Ask, ...]:
    """A request for each value of the field, of at most a hundred."""
    return tuple(
        Ask(name, "GET", f"/tasks?{name}={name}{value}&limit={_PAGE}", "", _SESSION)
        for value in range(min(100, _VALUES[name]))
    )
