"""A host that gives the service no thread more."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from service.control.database import Database
from service.errors import ControlUnavailable, NotReady, StorageUnavailable
from service.http.exceptions import told_as
from service.secret import Secret
from service.sessions.storage import in_storage
from service.threads import in_thread
from tests.shortage import no_thread_more


async def test_it_is_an_error_of_the_system(tmp_path: Path) -> None:
    with no_thread_more():
        with pytest.raises(OSError, match="no thread more") as raised:
            await in_thread(tmp_path.exists)
        with pytest.raises(StorageUnavailable, match="no thread more"):
            await in_storage(tmp_path.exists)
    assert raised.value.errno == errno.EAGAIN
    assert await in_thread(tmp_path.exists)


async def test_other_errors_are_what_they_are() -> None:
    def fail() -> None:
        raise RuntimeError("of its own")

    with pytest.raises(RuntimeError, match="of its own"):
        await in_thread(fail)


async def test_a_connection_to_the_database_needs_one(tmp_path: Path) -> None:
    database = Database(Secret(f"sqlite+aiosqlite:///{tmp_path}/control.db"))
    with no_thread_more(), pytest.raises(ControlUnavailable) as raised:
        async with database.reading():
            pass
    assert "no thread more" in raised.value.reason
    async with database.reading() as connection:
        assert (await connection.exec_driver_sql("SELECT 1")).scalar() == 1
    await database.close()


async def test_a_caller_is_told_to_try_again() -> None:
    assert isinstance(told_as(RuntimeError("can't start new thread"), {}), NotReady)
