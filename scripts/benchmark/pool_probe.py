"""The pool without HTTP: ``python -m scripts.benchmark.pool_probe COUNT`` prints seconds per program."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import orjson
import uvloop

from sandbox_runtime.job import Program
from scripts.benchmark.program import CODE
from service.pool.job import Job, JobLimits
from service.pool.local import local_sandbox
from service.pool.pool import PoolSize
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor.kernel import die_with_parent

_TIMEOUT = 10.0
_PAUSE_SECONDS = 0.002  # lets the next worker get ready, so that what is measured is the run alone


async def measure(count: int) -> list[float]:
    """One program after another, each in a worker that waits ready."""
    settings = Settings.from_env({})
    limits = JobLimits(_TIMEOUT, _TIMEOUT, settings.memory, settings.scratch_bytes, settings.max_output_bytes)
    size = PoolSize(settings.pool_size, settings.max_workers, settings.queue_size)
    samples = []
    async with local_sandbox(sandbox_spec(settings), size) as sandbox:
        for _ in range(count):
            await asyncio.sleep(_PAUSE_SECONDS)
            began = time.monotonic()
            outcome = await sandbox.pool.run(Job(Program(code=CODE), limits, began + _TIMEOUT))
            samples.append(time.monotonic() - began)
            if outcome.verdict != "ok":
                raise RuntimeError(f"the program ended with {outcome.verdict}: {outcome.detail}")
    return samples


def main() -> None:
    """Entry point of the process."""
    die_with_parent(signal.SIGKILL)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        samples = runner.run(measure(int(sys.argv[1])))
    os.write(1, orjson.dumps(samples))


if __name__ == "__main__":
    main()
