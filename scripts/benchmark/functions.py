"""The rows of loaded functions: a hot call against bare echo, and a service that has ten thousand of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import orjson

from scripts.benchmark import processes
from scripts.benchmark.asking import ask
from scripts.benchmark.contest import ECHO_BODY, Contender, Effort, compete, over_http
from scripts.benchmark.load import Ask
from scripts.benchmark.rows import CONCURRENCIES, Comparison, Goal, Row, matches_of, p50, rate
from scripts.benchmark.stats import Spread

MANY = 10_000
RATE_GOAL = Goal(0.40, at_least=True, text=">= 0.40")
ROUTING_GOAL = Goal(0.95, at_least=True, text=">= 0.95")
START_GOAL = Goal(3.0, at_least=False, text="<= 3 s")
_HASH = "b" * 40
_MODULE = "def double(x: int) -> int:\n    return x * 2\n"
PATH = "/bench/double"
BODY = '{"x": 21}'
_KEY = "a-key-for-the-bench-alone"
_STARTS = 3
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
# Tables, and what of a row another function has for itself.
_COPIED = {
    "lars_function_versions": {"hash": "printf('%040x', i)"},
    "lars_functions": {
        "hash": "printf('%040x', i)",
        "path": "path || '/' || i",
        "revision": "revision + i",
    },
}


def function_rows(effort: Effort) -> list[Row]:
    """All, from one contest; and how long a start takes."""
    with processes.data_root() as few, processes.data_root() as many:
        for root in (few, many):
            load_one(root)
        copy_function(many, MANY - 1)
        contest = compete(matches_of(_COMPARISONS), effort, partial(_contenders, few, many))
        rows = [comparison.row(contest) for comparison in _COMPARISONS]
        return [*rows, _start_row(few, many)]


_COMPARISONS = (
    *(
        Comparison(
            "function", "hot call: throughput against echo", "echo", count, rate, RATE_GOAL, subject="few"
        )
        for count in CONCURRENCIES
    ),
    Comparison("function", "hot call: p50 against echo", "echo", 1, p50, None, subject="few"),
    *(
        Comparison(
            "function", f"hot call beside {MANY:,} functions", "few", count, rate, ROUTING_GOAL, "many"
        )
        for count in CONCURRENCIES
    ),
)


@contextmanager
def _contenders(few: Path, many: Path, names: Iterable[str]) -> Iterator[dict[str, Contender]]:
    wanted = set(names)
    running: dict[str, Contender] = {}
    with ExitStack() as stack:
        for name, root in (("few", few), ("many", many)):
            if name in wanted:
                port = stack.enter_context(processes.service(settings_of(root))).port
                running[name] = partial(over_http, port, PATH, BODY)
        if "echo" in wanted:
            port = stack.enter_context(processes.baseline_app())
            running["echo"] = partial(over_http, port, "/echo", ECHO_BODY)
        yield running


def load_one(root: Path) -> None:
    """The function that is called, loaded as anybody would."""
    with processes.service(settings_of(root)) as service:
        ask(service.port, Ask("upload", "PUT", f"/uploads/{_HASH}/bench.py", _MODULE, key=_KEY))
        body = {
            "visible_pixel_hash": _HASH,
            "function_name": "double",
            "module_name": "bench",
            "endpoint_path": PATH,
            "method": "POST",
        }
        ask(service.port, Ask("load", "POST", "/load-function", orjson.dumps(body).decode(), key=_KEY))


def copy_function(root: Path, count: int) -> None:
    """So many more like the one that is loaded, each of a contract and a path of its own; as rows, because
    loading them takes a minute."""
    with closing(sqlite3.connect(root / "control.db")) as database, database:
        for table, others in _COPIED.items():
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(others.get(name, name) for name in names)
            database.execute(
                f"{_NUMBERS} INSERT INTO {table} SELECT {values} FROM {table}, n",  # noqa: S608 - constants
                (count,),
            )
        database.execute("UPDATE lars_revision SET number = number + ?", (count,))


def _start_row(few: Path, many: Path) -> Row:
    times: dict[Path, list[float]] = {few: [], many: []}
    for _ in range(_STARTS):
        for root, measured in times.items():
            measured.append(_start(root))
    more = [late - soon for late, soon in zip(times[many], times[few], strict=True)]
    return Row(
        "function",
        f"start with {MANY:,} functions: time more than with one",
        f"{Spread.of(times[many]).median:.2f} s",
        f"{Spread.of(times[few]).median:.2f} s",
        Spread.of(more),
        START_GOAL,
        " s",
    )


def _start(root: Path) -> float:
    began = time.monotonic()
    with processes.service(settings_of(root)) as service:
        ask(service.port, Ask("call", "POST", PATH, BODY))
        return time.monotonic() - began


def settings_of(root: Path) -> dict[str, str]:
    """Of a service that has it, and a key to load it with."""
    return {"LARS_DATA_ROOT": str(root), "STARGATE_API_KEY": _KEY}
