"""A sandbox without the service around it: one zygote, one pool, in the caller's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sandbox_runtime.domain import WorkerKind
from service.pool.channel import Channel
from service.pool.pool import Pool, PoolSize
from service.supervisor.kernel import become_subreaper, raise_open_files
from service.supervisor.zygote import Hello, Zygote, ZygoteFailed, ZygoteSpec

_START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class LocalSandbox:
    """A pool that is ready, and what its zygote said of the layers in force."""

    pool: Pool
    hello: Hello
    zygote: Zygote

    def attach(self, workers: Pool, kind: WorkerKind = "session") -> None:
        """Let this pool have such workers of the zygote. Whoever made it closes it."""
        workers.add(Channel(self.zygote.introduce(), workers, kind=kind))


@asynccontextmanager
async def local_sandbox(spec: ZygoteSpec, size: PoolSize) -> AsyncIterator[LocalSandbox]:
    """Start a zygote, wait until it has proved itself, yield; leave no process behind.

    ZygoteFailed when it could not start. Blocks the event loop while it starts.
    """
    become_subreaper()
    raise_open_files()
    zygote = Zygote(spec)
    try:
        hello = zygote.hello()
        pool = Pool(size)
        pool.add(Channel(zygote.introduce(), pool))
        try:
            await _wait_ready(pool)
            yield LocalSandbox(pool, hello, zygote)
        finally:
            await pool.close()
    finally:
        zygote.close()


async def _wait_ready(pool: Pool) -> None:
    try:
        async with asyncio.timeout(_START_SECONDS):
            await pool.wait_ready()
    except TimeoutError as error:
        raise ZygoteFailed("no worker could run a program; the log above says why") from error
