"""The stage of every module that plays zygotes and workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.pool.puppets import no_descriptor_left
from tests.pool.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """An empty stage; at the end everything on it is closed and nothing is left."""
    await asyncio.sleep(0)
    with no_descriptor_left():
        stage = Stage()
        yield stage
        for run in stage.runs:
            run.cancel()
        await asyncio.gather(*stage.runs, return_exceptions=True)
        await stage.pool.close()
        for zygote in stage.zygotes:
            for worker in zygote.workers:
                assert worker.process.wait(5) == -9, "a worker has outlived the pool"
            zygote.close()
