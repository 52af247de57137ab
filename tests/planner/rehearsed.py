"""Run as a process: prepares as the planner does, then says what is imported or opened by real calls.

    python -m tests.planner.rehearsed CONFIG   (a PlannerConfig as JSON) -> one JSON object

"rehearsal": how many files of Python came with it, which shows that this test can see any.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

import orjson

from sandbox_runtime.planner import tracing
from sandbox_runtime.planner.chair import Clock
from sandbox_runtime.planner.engine import Engine
from sandbox_runtime.planner.providers.opening import Opened, open_models, trusted_certificates
from sandbox_runtime.planner.rehearsal import rehearse
from sandbox_runtime.planning import Ask, PlannerConfig
from tests.support import wait_until

TRACE = f"00-{'1' * 32}-{'2' * 16}-01"
GIVEN = {"query": "?", "policy": "program", "data": None}


async def ask(engine: Engine) -> list[str]:
    """One question after the other: what becomes of each is in the provider's script."""
    outcomes = []
    for number in range(6):
        answer = await engine.answer(Ask(number, "generate", GIVEN, 5.0, 50_000, trace=TRACE))
        outcomes += [call.outcome for call in answer.calls]
    await engine.close()
    return outcomes


def main() -> None:
    """See above."""
    config = PlannerConfig.from_wire(orjson.loads(sys.argv[1]))
    seen: list[str] = []
    watching = [True]

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching[0] and event in ("import", "open", "os.listdir", "os.scandir"):
            seen.append(f"{event} {arguments[0]}")

    sys.addaudithook(watch)
    opened = open_models(config, {"KEY": "k"}, tls := trusted_certificates())
    packages = tracing.load()
    before = len(seen)
    rehearse(config.providers, tls, packages)
    told: dict[str, Any] = {"rehearsal": len(seen) - before}
    wait_until(lambda: len(os.listdir("/proc/self/task")) == 1, "the end of its threads", 1)
    seen.clear()
    spans = tracing.OtlpTracing(packages, config.otlp)
    clock = Clock(time.monotonic, float)
    engines = [Engine(config, Opened((model,), {}), clock, spans) for model in opened.models]
    told["outcomes"] = [asyncio.run(ask(engine)) for engine in engines]
    spans.close()
    watching[0] = False
    sys.stdout.write(orjson.dumps({**told, "seen": seen}).decode())


if __name__ == "__main__":
    main()
