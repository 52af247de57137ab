"""What the bench prints: the machine, the table, the baselines in words."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.benchmark.rows import Row

BASELINES = """\
fork  a process with the zygote's interpreter, flags, imports and frozen heap, one thread, not jailed, forks
      children that exit at once, with as many in flight as the service has requests
cold  POST to Starlette under uvicorn (uvloop, httptools), one process, that runs the same program in a new
      python3 -I -S -c: no jail, no limits, no pool
echo  the same server answers with the JSON it was sent
mix   create, get, list, search and patch as often each, in random order over 50 sessions of 20 records
Each ratio is the median over rounds; in a round all contenders of a concurrency run one after the other.
Both load client and service run on this machine and share its CPUs; each contender has the same client."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures were measured on."""

    cpu: str
    cores: int
    kernel: str
    python: str
    load_before: float

    @classmethod
    def here(cls) -> Machine:
        """This one, now."""
        return cls(
            cpu=cpu_model(Path("/proc/cpuinfo").read_text()),
            cores=len(os.sched_getaffinity(0)),
            kernel=platform.release(),
            python=platform.python_version(),
            load_before=os.getloadavg()[0],
        )

    def text(self) -> str:
        """One line."""
        load = f"load average before {self.load_before:.2f}"
        return f"{self.cpu}, {self.cores} cores, Linux {self.kernel}, Python {self.python}, {load}"


def cpu_model(cpuinfo: str) -> str:
    """The model's name where /proc/cpuinfo has one (x86), else the machine type."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def ratio_text(row: Row) -> str:
    """The value with its spread over the rounds; empty where the row has none."""
    if row.value is None:
        return ""
    value = row.value
    return f"{value.median:.2f}{row.unit} ({value.low:.2f}-{value.high:.2f})"


def table(rows: Sequence[Row]) -> str:
    """The rows with a ratio as a table, then what else was seen, line by line."""
    head = ("row", "what", "measured", "baseline", "ratio (low-high)", "goal", "")
    compared = [row for row in rows if row.value is not None]
    told = [row for row in rows if row.value is None]
    parts = []
    if compared:
        parts.append(columns([head, *(_cells(row) for row in compared)]))
    if told:
        lines = (
            f"{row.name}: {row.what}: {row.measured}{row.baseline and f' ({row.baseline})'}" for row in told
        )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def columns(lines: Sequence[tuple[str, ...]]) -> str:
    """As wide as they need to be, with a rule below the first line."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    ruled = [lines[0], tuple("-" * width for width in widths), *lines[1:]]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in ruled
    )


def _cells(row: Row) -> tuple[str, ...]:
    goal = row.goal.text if row.goal else ""
    return row.name, row.what, row.measured, row.baseline, ratio_text(row), goal, row.verdict


def as_json(machine: Machine, rows: Sequence[Row]) -> dict[str, object]:
    """The same for other programs."""
    return {
        "machine": asdict(machine),
        "rows": [asdict(row) | {"verdict": row.verdict} for row in rows],
    }
