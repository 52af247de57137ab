"""The rows of the table: what each compares, and its goal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scripts.benchmark.contest import Contest, Effort, Match, Sample, compete
from scripts.benchmark.stats import Spread, ratios

CONCURRENCIES = (8, 16)


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a ratio (or, for memory, on megabytes)."""

    bound: float
    at_least: bool
    text: str

    def reached(self, value: float) -> bool:
        """Whether the value keeps the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True, slots=True)
class Row:
    """``measured`` and ``baseline`` are absolute, for orientation; ``value`` is what may have a goal."""

    name: str
    what: str
    measured: str
    baseline: str
    value: Spread | None = None
    goal: Goal | None = None
    unit: str = ""

    @property
    def verdict(self) -> str:
        """reached, NOT REACHED, or information."""
        if self.goal is None or self.value is None:
            return "information"
        return "reached" if self.goal.reached(self.value.median) else "NOT REACHED"


FORK_GOAL = Goal(0.60, at_least=True, text=">= 0.60")
COLD_GOAL = Goal(6.0, at_least=True, text=">= 6")
COLD_P50_GOAL = Goal(0.10, at_least=False, text="<= 0.10")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A row made from two contenders, ``subject`` and ``baseline``. ``quantity`` picks what of a turn is
    compared."""

    name: str
    what: str
    baseline: str
    in_flight: int
    quantity: Callable[[Sample], float]
    goal: Goal | None = None
    subject: str = "execute"

    def matches(self) -> tuple[Match, Match]:
        """Whom to measure for it."""
        return Match(self.subject, self.in_flight), Match(self.baseline, self.in_flight)

    def row(self, contest: Contest) -> Row:
        """The row, once they have been measured."""
        measured, baseline = ([self.quantity(s) for s in contest[match]] for match in self.matches())
        show = show_rate if self.quantity is rate else show_time
        return Row(
            name=self.name,
            what=f"{self.what}, {self.in_flight} at once",
            measured=show(Spread.of(measured).median),
            baseline=show(Spread.of(baseline).median),
            value=Spread.of(ratios(measured, baseline)),
            goal=self.goal,
        )


def rate(sample: Sample) -> float:
    """Answers per second."""
    return sample.rate


def p50(sample: Sample) -> float:
    """Median latency in seconds. ValueError for a contender that has none."""
    if sample.p50 is None:
        raise ValueError("this contender has no latency")
    return sample.p50


def show_rate(value: float) -> str:
    """Per second."""
    return f"{value:,.0f}/s"


def show_time(value: float) -> str:
    """Milliseconds."""
    return f"{value * 1000:.2f} ms"


COMPARISONS = (
    *(
        Comparison("fork", "throughput against raw fork+exit", "fork", count, rate, FORK_GOAL)
        for count in CONCURRENCIES
    ),
    *(
        Comparison("cold", "throughput against cold python3", "cold", count, rate, COLD_GOAL)
        for count in CONCURRENCIES
    ),
    Comparison("cold", "p50 against cold python3", "cold", 1, p50, COLD_P50_GOAL),
    *(Comparison("echo", "throughput against bare echo", "echo", count, rate) for count in CONCURRENCIES),
    Comparison("echo", "p50 against bare echo", "echo", 1, p50),
)


def compared(names: set[str], effort: Effort) -> list[Row]:
    """The rows that compare /execute with a baseline, all from one contest."""
    wanted = [comparison for comparison in COMPARISONS if comparison.name in names]
    contest = compete(matches_of(wanted), effort)
    return [comparison.row(contest) for comparison in wanted]


def matches_of(wanted: Iterable[Comparison]) -> list[Match]:
    """Everyone that these compare, once."""
    matches = dict.fromkeys(match for comparison in wanted for match in comparison.matches())
    # All of one concurrency beside each other: what is compared should be minutes apart least of all.
    return sorted(matches, key=lambda match: match.in_flight)
