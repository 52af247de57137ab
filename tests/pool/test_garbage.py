"""What a job was given is freed with its end: no cycle of references keeps it until there is a collection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from sandbox_runtime.job import Program
from service.pool.job import Job, JobLimits, Outcome
from service.pool.local import local_sandbox
from service.pool.oneshot import OneShotRun
from service.pool.pool import Pool, PoolSize
from service.pool.worker import Worker
from tests.garbage import left_of, no_collection
from tests.pool.puppets import PuppetWorker, until
from tests.support import default_spec

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMITS = JobLimits(timeout=10.0, cpu=10.0, memory=256 << 20, file_size=1 << 20, output=4096)
DATA = b'{"data":"%s"}' % (b"x" * (4 << 20))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[Pool]:
    async with local_sandbox(default_spec(), PoolSize(1, 2, 4)) as sandbox:
        yield sandbox.pool


async def _run(pool: Pool, code: str, seconds: float = 10.0) -> Outcome:
    program = Program(code, has_data=True, max_result=1 << 16)
    limits = replace(LIMITS, timeout=seconds)
    return await pool.run(Job(program, limits, time.monotonic() + seconds, data=DATA))


ENDS = {
    "ok": ("result = len(data)", 10.0, "ok"),
    "exception": ("1 / 0", 10.0, "exception"),
    "timeout": ("while True: pass", 0.5, "timeout"),
    "died": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 10.0, None),
}


@pytest.mark.parametrize(("code", "seconds", "verdict"), ENDS.values(), ids=ENDS)
async def test_nothing_of_a_job_is_left(pool: Pool, code: str, seconds: float, verdict: str | None) -> None:
    with no_collection():
        outcome = await _run(pool, code, seconds)
        assert verdict is None or outcome.verdict == verdict
        assert await left_of(Job, OneShotRun) == []


async def test_nothing_of_a_cancelled_one_is_left(pool: Pool) -> None:
    with no_collection():
        task = asyncio.create_task(_run(pool, "while True: pass"))
        await until(lambda: pool.figures()["busy"] == 1, "it runs")
        task.cancel()
        await asyncio.wait((task,))
        del task
        assert await left_of(Job, OneShotRun) == []


async def test_a_message_that_was_sent_is_let_go() -> None:
    """A session's worker lives on, and its last message may have been megabytes."""
    puppet = PuppetWorker()
    worker = Worker(1, puppet.descriptors, asyncio.get_running_loop())
    try:
        message = b"x" * (4 << 20)
        worker.send(message)
        assert worker._unsent.obj is message
        read = 0
        while read < len(message):
            read += len(await asyncio.get_running_loop().sock_recv(puppet.socket, 1 << 20))
        await until(lambda: not worker._waits_to_write, "all is sent")
        assert worker._unsent.obj == b""
    finally:
        worker.destroy()
        puppet.close()
