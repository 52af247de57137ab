"""The overload row: four times what the service can do, sent whether or not it answers."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.benchmark import processes
from scripts.benchmark.contest import EXECUTE_BODY, Effort
from scripts.benchmark.load import Plan, Result
from scripts.benchmark.rows import Goal, Row, show_rate, show_time
from scripts.benchmark.stats import Spread, median, percentile, ratios

FACTOR = 4
_PEAK_CONCURRENCIES = (16, 32)
_CONNECTIONS = 512
GOAL = Goal(0.90, at_least=True, text=">= 0.90")


@dataclass(frozen=True, slots=True)
class Round:
    """Answers per second of a closed loop at each of several concurrencies, and what the flood then got."""

    closed: tuple[float, ...]
    flood: Result


def overload(effort: Effort) -> list[Row]:
    """Peak and flood in turns."""
    with processes.service() as service:
        _closed(service.port, effort.warm_up)
        rounds = [_round(service.port, effort.seconds) for _ in range(effort.rounds)]
    return rows_of(rounds)


def _round(port: int, seconds: float) -> Round:
    closed = _closed(port, seconds)
    rate = FACTOR * max(closed)
    # Twice as long: the first moments, when the queue is not yet full, should not count for much.
    flood = processes.load(Plan(port, "/execute", EXECUTE_BODY, _CONNECTIONS, 2 * seconds, rate))
    return Round(closed, flood)


def _closed(port: int, seconds: float) -> tuple[float, ...]:
    plans = [Plan(port, "/execute", EXECUTE_BODY, count, seconds) for count in _PEAK_CONCURRENCIES]
    return tuple(processes.load(plan).rate() for plan in plans)


def peaks_of(rounds: list[Round]) -> tuple[float, ...]:
    """Round by round at the concurrency that is best over all: the best of each round would be luck."""
    return max(zip(*(turn.closed for turn in rounds), strict=True), key=median)


def rows_of(rounds: list[Round]) -> list[Row]:
    """Goodput, then how the refusals came, then that nothing else did."""
    goodput = [turn.flood.rate() for turn in rounds]
    peaks = peaks_of(rounds)
    return [
        Row(
            name="overload",
            what=f"goodput at {FACTOR} x capacity against peak",
            measured=show_rate(Spread.of(goodput).median),
            baseline=show_rate(Spread.of(peaks).median),
            value=Spread.of(ratios(goodput, peaks)),
            goal=GOAL,
        ),
        _times("200", "latency of the answers", rounds),
        _times("503", "latency of the refusals", rounds),
        _others(rounds),
    ]


def _times(status: str, what: str, rounds: list[Round]) -> Row:
    times = [latency for turn in rounds for latency in turn.flood.latencies.get(status, [])]
    shown = (
        f"p50 {show_time(percentile(times, 0.5))}, p99 {show_time(percentile(times, 0.99))}"
        if times
        else "none"
    )
    return Row("overload", f"{what} ({status})", shown, f"{len(times):,} of {_sent(rounds):,}")


def _others(rounds: list[Round]) -> Row:
    other = sum(
        len(times)
        for turn in rounds
        for status, times in turn.flood.latencies.items()
        if status not in ("200", "503")
    )
    unanswered = sum(turn.flood.unanswered for turn in rounds)
    untold = sum(turn.flood.untold for turn in rounds)
    late = max(turn.flood.late for turn in rounds)
    return Row(
        "overload",
        "anything else",
        f"{other} other statuses, {unanswered} unanswered, {untold} of 503 without Retry-After",
        f"client late by at most {show_time(late)}",
    )


def _sent(rounds: list[Round]) -> int:
    return sum(len(times) for turn in rounds for times in turn.flood.latencies.values())
