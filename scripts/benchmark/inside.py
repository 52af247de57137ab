"""Rows that look inside: the memory of each kind of process, and where the time of one request goes."""

from __future__ import annotations

import orjson

from scripts.benchmark import memory, processes
from scripts.benchmark.contest import EXECUTE_BODY, Effort
from scripts.benchmark.load import Plan
from scripts.benchmark.rows import Goal, Row, show_time
from scripts.benchmark.stats import Spread, percentile

_MB = 1_000_000
MEMORY_GOAL = Goal(3.0, at_least=False, text="<= 3 MB")
_STAGES = ("queue", "bind", "run", "collect")


def memory_rows(_effort: Effort) -> list[Row]:
    """Idle workers, and the zygotes and fronts they belong to."""
    with processes.service() as service:
        family = memory.family(service.pid)
        try:
            workers = [memory.memory_of(pid) for pid in family.workers]
            zygotes = [memory.memory_of(pid) for pid in family.zygotes]
            fronts = [memory.memory_of(pid) for pid in family.fronts]
        except memory.NotReadable as error:
            return [Row("memory", "private memory of an idle worker", "not measured", str(error))]
    return [
        Row(
            name="memory",
            what=f"private memory of an idle worker ({len(workers)} looked at)",
            measured=_megabytes([worker.private for worker in workers]),
            baseline="absolute",
            value=Spread.of([worker.private / _MB for worker in workers]),
            goal=MEMORY_GOAL,
            unit=" MB",
        ),
        Row(
            "memory",
            "private memory of a zygote",
            _megabytes([z.private for z in zygotes]),
            f"{len(zygotes)} run",
        ),
        Row(
            "memory",
            "private memory of a front",
            _megabytes([f.private for f in fronts]),
            f"{len(fronts)} run",
        ),
    ]


def _megabytes(sizes: list[int]) -> str:
    return f"{Spread.of(sizes).median / _MB:.2f} MB"


def timing_rows(effort: Effort) -> list[Row]:
    """One request at a time: the service's own stage times, the rest, and the pool without HTTP."""
    with processes.service() as service:
        processes.load(Plan(service.port, "/execute", EXECUTE_BODY, 1, effort.warm_up))
        result = processes.load(Plan(service.port, "/execute", EXECUTE_BODY, 1, effort.seconds))
    whole = percentile(result.latencies["200"], 0.5)
    timings = [orjson.loads(body)["timing"] for body in result.bodies]
    stages = {stage: percentile([timing[stage] for timing in timings], 0.5) for stage in _STAGES}
    shown = ", ".join(f"{stage} {show_time(value)}" for stage, value in stages.items())
    rest = whole - sum(stages.values())
    pool = processes.pool_probe(effort.samples)
    return [
        Row(
            "timing",
            "p50 of one request over HTTP, 1 in flight",
            show_time(whole),
            f"{len(timings):,} requests",
        ),
        Row("timing", "of it, by the service's own clock", shown, ""),
        Row("timing", "of it, the rest: HTTP, waking, client", show_time(rest), ""),
        Row(
            "timing",
            "pool without HTTP, paused between requests",
            f"p50 {show_time(percentile(pool, 0.5))}, p99 {show_time(percentile(pool, 0.99))}",
            f"{len(pool):,} programs",
        ),
    ]
