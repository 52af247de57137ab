"""``python -m service.control.schema``: prints what ``schema.sql`` has to hold: Alembic's steps make a
database, and SQLite says what is in it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import tempfile
from pathlib import Path

from service.control.migrate import prepare
from service.control.sqlite_file import make_file
from service.settings import Settings


async def schema() -> str:
    """One statement after the other, each with its semicolon and line feed."""
    with tempfile.TemporaryDirectory(prefix="lars-schema-") as root:
        path = Path(root) / "control.db"
        make_file(path)
        await prepare(Settings.from_env({"LARS_DATA_ROOT": root}))
        with contextlib.closing(sqlite3.connect(path)) as connection:
            inner = list(connection.iterdump())[1:-1]  # without BEGIN and COMMIT
    return "".join(f"{statement}\n" for statement in inner)


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(schema()))
