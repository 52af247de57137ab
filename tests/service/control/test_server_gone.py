"""A server that does not answer on the connections there are, and would on others: its host has lost its
power, and its successor has its address."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]  # has no annotations
import pytest
from sqlalchemy import text

from service.control.database import Database
from service.database_url import normal_url
from service.errors import ControlUnavailable
from service.secret import Secret
from tests.postgresql import Server

SECONDS = 0.3


@pytest.fixture
async def database(postgresql_server: Server) -> AsyncIterator[Database]:
    url = postgresql_server.url(postgresql_server.make_database())
    opened = Database(Secret(normal_url(url)), SECONDS)
    yield opened
    await opened.close()


async def backend(database: Database, together: asyncio.Barrier | None = None) -> int:
    """The process that serves a connection; several at once are of several connections."""
    async with database.reading() as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        if together is not None:
            await together.wait()
    assert isinstance(pid, int)
    return pid


async def backends(database: Database, count: int) -> set[int]:
    together = asyncio.Barrier(count)
    return set(await asyncio.gather(*(backend(database, together) for _ in range(count))))


async def test_one_that_is_silent_is_replaced_before_it_is_used(database: Database) -> None:
    """So are all others, whose turn comes later."""
    silent = await backends(database, 3)
    for pid in silent:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert await backend(database) not in silent
        assert not await backends(database, 3) & silent
    finally:
        for pid in silent:
            os.kill(pid, signal.SIGCONT)


async def test_connections_that_were_ended_cost_nothing(database: Database) -> None:
    for pid in await backends(database, 3):
        os.kill(pid, signal.SIGTERM)
    assert len(await backends(database, 3)) == 3


async def test_what_the_driver_says_of_a_broken_connection_is_that_there_is_no_database(
    database: Database,
) -> None:
    """Nobody else knows its errors: the task that looks for changes would end of one, and its front with it
    let nobody in any more."""
    with pytest.raises(ControlUnavailable) as caught:
        async with database.reading():
            raise asyncpg.InternalClientError("cannot switch to state 15; another operation is in progress")
    assert "cannot switch to state 15" in caught.value.reason
