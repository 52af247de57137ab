"""Makes the control database what this version needs: ``python -m service.control.migrate``, or ``prepare``.

One look when there is nothing to do. Safe in several processes at once: each looks again in its turn.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from pathlib import Path
from typing import Final

import anyio.to_thread
from sqlalchemy import Connection, column, func, inspect, select, table

from service.control.database import Database
from service.control.lost import refuse_to_lose
from service.control.refusal import ControlRefused
from service.control.sqlite_file import make_file
from service.control.tables import VERSION_TABLE
from service.control.version import VERSION
from service.errors import ControlUnavailable
from service.settings import Settings, SettingsError

_PATIENCE: Final = 300.0  # s: a step may rewrite a table
_LOCK: Final = 0x4C415253  # "LARS": pg_advisory_xact_lock(bigint)


async def prepare(settings: Settings) -> None:
    """Make the database if there is none, and bring it up to date. ControlUnavailable, or ControlRefused when
    a newer version made it, or when there was one (``refuse_to_lose``)."""
    await anyio.to_thread.run_sync(refuse_to_lose, settings)
    database = Database(settings.database_url, _PATIENCE)
    try:
        if database.path is not None:
            await _make_sure_of(Path(database.path))
        async with database.reading() as connection:
            present = await connection.run_sync(_version)
        if present != VERSION:
            await _upgrade(database)
    finally:
        await database.close()


async def _upgrade(database: Database) -> None:
    from service.control.upgrade import upgrade  # noqa: PLC0415 - slow to load, and seldom needed

    async with database.writing() as connection:
        if database.path is None:
            await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        present = await connection.run_sync(_version)
        if present != VERSION:
            await connection.run_sync(upgrade, present)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))


async def _make_sure_of(path: Path) -> None:
    try:
        await anyio.to_thread.run_sync(make_file, path)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ControlUnavailable(f"SQLite file {path}: {reason}") from error


def main() -> int:
    """With the settings of the environment. Exit status 1 and a sentence when it cannot be done."""
    try:
        asyncio.run(prepare(Settings.from_env(os.environ)))
    except ControlUnavailable as error:
        sys.stderr.write(f"lars: {error.reason}; check LARS_DATABASE_URL and LARS_DATA_ROOT\n")
    except (ControlRefused, SettingsError) as error:
        sys.stderr.write(f"lars: {error}\n")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
