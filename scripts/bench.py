#!/usr/bin/env python3
"""Measures LARS against baselines of the same machine and moment; docs/performance.md explains the rows.

    .venv/bin/python scripts/bench.py [--quick] [--json FILE] [--only ROW ...]

ROW is fork, cold, echo, session, stored, keys, json-server, list, overload, fair, function, fronts, memory or
timing.
The exit status is 0 whatever the figures are: they are a report, not a test. It is 1 when something could not
be measured, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import orjson

from scripts.benchmark import report
from scripts.benchmark.contest import FULL, QUICK, Effort
from scripts.benchmark.fair import fair_rows
from scripts.benchmark.filtered import filtered_rows
from scripts.benchmark.fronts import front_rows
from scripts.benchmark.functions import function_rows
from scripts.benchmark.inside import memory_rows, timing_rows
from scripts.benchmark.overload import overload
from scripts.benchmark.processes import BenchError
from scripts.benchmark.rows import Row, compared
from scripts.benchmark.sessions import NAMES as OF_SESSIONS
from scripts.benchmark.sessions import session_rows

COMPARED = ("fork", "cold", "echo")
OTHERS: dict[str, Callable[[Effort], list[Row]]] = {
    "list": filtered_rows,
    "overload": overload,
    "fair": fair_rows,
    "function": function_rows,
    "fronts": front_rows,
    "memory": memory_rows,
    "timing": timing_rows,
}
ROWS = (*COMPARED, *OF_SESSIONS, *OTHERS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write JSON where asked."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)  # so that what was started is ended too
    machine = report.Machine.here()
    print(machine.text(), flush=True)
    try:
        rows = _measure(set(options.only or ROWS), QUICK if options.quick else FULL)
    except BenchError as error:
        print(f"bench.py: {error}", file=sys.stderr)
        return 1
    print(f"\n{report.table(rows)}\n\n{report.BASELINES}")
    if options.json:
        options.json.write_bytes(orjson.dumps(report.as_json(machine, rows), option=orjson.OPT_INDENT_2))
    return 0


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measure LARS against baselines of the same machine and moment."
    )
    parser.add_argument("--quick", action="store_true", help="about two minutes, with a wider spread")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--only", nargs="+", choices=ROWS, metavar="ROW", help=f"only these: {', '.join(ROWS)}"
    )
    return parser


def _measure(names: set[str], effort: Effort) -> list[Row]:
    rows = compared(names, effort) if names & set(COMPARED) else []
    if names & set(OF_SESSIONS):
        rows += session_rows(names & set(OF_SESSIONS), effort)
    for name, measure in OTHERS.items():
        if name in names:
            rows += measure(effort)
    return rows


if __name__ == "__main__":
    sys.exit(main())
