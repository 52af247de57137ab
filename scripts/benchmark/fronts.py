"""The rows of two fronts against one: calls of a function, the mix in sessions, and programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from scripts.benchmark import functions, processes, sessions
from scripts.benchmark.contest import EXECUTE_BODY, Contender, Effort, compete, over_http
from scripts.benchmark.rows import CONCURRENCIES, Comparison, Goal, Row, matches_of, rate

GOAL = Goal(1.6, at_least=True, text=">= 1.6")
_LOADS = {"function": "hot call of a function", "mix": "mix", "execute": "programs"}
COMPARISONS = tuple(
    Comparison("fronts", f"{what}: two against one", f"{load} 1", count, rate, GOAL, f"{load} 2")
    for load, what in _LOADS.items()
    for count in CONCURRENCIES
)


def front_rows(effort: Effort) -> list[Row]:
    """All, from one contest."""
    with processes.data_root() as one, processes.data_root() as two:
        for root in (one, two):
            functions.load_one(root)
        contest = compete(matches_of(COMPARISONS), effort, partial(_contenders, {"1": one, "2": two}))
    return [comparison.row(contest) for comparison in COMPARISONS]


@contextmanager
def _contenders(roots: Mapping[str, Path], _names: Iterable[str]) -> Iterator[dict[str, Contender]]:
    running: dict[str, Contender] = {}
    with ExitStack() as stack:
        for fronts, root in roots.items():
            settings = {"LARS_FRONTS": fronts}
            calls = stack.enter_context(processes.service(functions.settings_of(root) | settings)).port
            running[f"function {fronts}"] = partial(over_http, calls, functions.PATH, functions.BODY)
            running[f"mix {fronts}"] = sessions.mix_of(stack, settings)
            programs = stack.enter_context(processes.service(settings)).port
            running[f"execute {fronts}"] = partial(over_http, programs, "/execute", EXECUTE_BODY)
        yield running
