"""The tables: made once by whoever comes first, as the code says they are, and not by an older version."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from service.control.control import Control, open_control
from service.control.database import Database
from service.control.migrate import prepare
from service.control.refusal import ControlRefused
from service.control.sqlite_file import make_file
from service.control.tables import METADATA, VERSION_TABLE
from service.control.upgrade import steps
from service.control.version import VERSION
from service.errors import ControlUnavailable
from service.settings import Settings
from tests.postgresql import Server
from tests.service.control.functions import HASH, load, spec
from tests.service.control.made import BY, SPEC, rows, run_sql
from tests.support import wait_until

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 50


def migrating(environ: dict[str, str], program: str = "-m service.control.migrate") -> subprocess.Popen[str]:
    """A process that makes the database up to date."""
    command = [sys.executable, *program.split(" ", 1)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | environ, stderr=pipe, stdout=pipe, text=True)


async def test_from_nothing_and_again(empty: dict[str, str]) -> None:
    """What is there the second time stays."""
    settings = Settings.from_env(empty)
    await prepare(settings)
    async with open_control(settings) as control:
        await control.keys.add(SPEC, BY)
        await prepare(settings)
        assert len(await control.keys.list()) == 1
        assert await rows(control, f"SELECT version_num FROM {VERSION_TABLE}") == [(VERSION,)]  # noqa: S608


# As 0002 has it: a function, of which nothing says what it improves.
FUNCTION = """
INSERT INTO lars_sources VALUES ('digest', 'text', 4);
INSERT INTO lars_function_versions VALUES ('HASH', 'before', 1, 'digest', '{}', 1.0, 'tester');
INSERT INTO lars_functions
    (hash, name, module, path, method, version, loaded, created, updated, revision, owner)
    VALUES ('HASH', 'before', 'm', '/own/before', 'POST', 1, true, 1.0, 1.0, 1, 'tester');
UPDATE lars_revision SET number = 1
""".replace("HASH", HASH).split(";")


@pytest.mark.parametrize(("version", "statements"), [("0001", []), ("0002", FUNCTION)])
async def test_from_each_version_before(empty: dict[str, str], version: str, statements: list[str]) -> None:
    """What was there stays, and what is new can be used."""
    settings = Settings.from_env(empty)
    if "LARS_DATABASE_URL" not in empty:
        make_file(settings.data_root / "control.db")

    def to_version(connection: Connection) -> None:
        config = steps()
        config.attributes["connection"] = connection
        command.upgrade(config, version)

    async with open_control(settings) as control:
        async with control.database.writing() as connection:
            await connection.run_sync(to_version)
        await run_sql(control, *statements)
        key, _ = await control.keys.add(SPEC, BY)
        await prepare(settings)
        assert await control.keys.list() == (key,)
        kept = await control.functions.list()
        assert [function.spec for function in kept] == [spec("before", method="POST") for _ in statements[:1]]
        improved = {"path": "/improved/api/new", "improvement": "api"}
        loaded = await load(control, "text", "new", **improved)
        assert loaded.function.revision == key.revision + 1
        assert loaded.function in await control.functions.list()
        assert (await control.check_audit()).fault is None


async def test_five_processes_at_once(empty: dict[str, str]) -> None:
    """Each succeeds; the tables are made once."""
    processes = [migrating(empty) for _ in range(5)]
    said = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0] * 5, said
    assert said == [("", "")] * 5
    async with open_control(Settings.from_env(empty)) as control:
        assert await rows(control, "SELECT one, number FROM lars_revision") == [(1, 0)]


async def test_the_tables_are_those_of_the_code(control: Control) -> None:
    """Alembic finds no difference."""

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return list(compare_metadata(context, METADATA))

    async with control.database.reading() as connection:
        assert await connection.run_sync(differences) == []


def test_the_version_is_that_of_the_last_step() -> None:
    """A step that is added without a new VERSION would not be run."""
    assert ScriptDirectory.from_config(steps()).get_current_head() == VERSION


async def test_a_newer_database(control: Control, made: dict[str, str]) -> None:
    """Is refused, by the command with one sentence, and stays as it is."""
    await run_sql(control, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608 - ours
    with pytest.raises(ControlRefused, match=r"'9999'.*knows up to 0005"):
        await prepare(Settings.from_env(made))
    process = migrating(made)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert said.startswith("lars: the control database is of version '9999'")
    assert said.count("\n") == 1
    assert await rows(control, f"SELECT version_num FROM {VERSION_TABLE}") == [("9999",)]  # noqa: S608 - ours


def test_a_current_database_does_not_load_alembic(made: dict[str, str]) -> None:
    """Most starts find nothing to do."""
    program = (
        "-c import asyncio, os, sys; from service.control import migrate; assert migrate.main() == 0; "
        "print('alembic' in sys.modules)"
    )
    process = migrating(made, program)
    assert process.communicate(timeout=PATIENCE) == ("False\n", "")


@pytest.mark.parametrize("umask", [0o000, 0o777])
async def test_the_file_is_its_owners(tmp_path: Path, umask: int) -> None:
    """With its -wal and -shm, whatever the umask; a mode that was widened is put right."""
    (tmp_path / "data").mkdir()
    settings = Settings.from_env({"LARS_DATA_ROOT": str(tmp_path / "data")})
    before = os.umask(umask)
    try:
        await prepare(settings)
        async with open_control(settings) as control:
            await control.keys.add(SPEC, BY)
            files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    finally:
        os.umask(before)
    assert files == dict.fromkeys(("audit.key", "control.db", "control.db-shm", "control.db-wal"), 0o600)
    (tmp_path / "data" / "control.db").chmod(0o644)
    await prepare(settings)
    assert stat.S_IMODE((tmp_path / "data" / "control.db").stat().st_mode) == 0o600


async def test_how_sqlite_is_used(tmp_path: Path) -> None:
    """Readers wait for no writer, a writer waits 5 s for another, and what is committed is on the disk."""
    settings = Settings.from_env({"LARS_DATA_ROOT": str(tmp_path)})
    await prepare(settings)
    pragmas = {"journal_mode": "wal", "busy_timeout": 5000, "foreign_keys": 1, "synchronous": 2}
    async with open_control(settings) as control, control.database.reading() as connection:
        found = {name: await connection.scalar(text(f"PRAGMA {name}")) for name in pragmas}
    assert found == pragmas


async def refused(url: str) -> str:
    """The reason; neither it, nor what a caller reads, nor the traceback has the password."""
    settings = Settings.from_env({"LARS_DATABASE_URL": url})
    with pytest.raises(ControlUnavailable) as caught:
        await prepare(settings)
    error: BaseException | None = caught.value
    while error is not None:
        assert "hush" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__
    return caught.value.reason


async def test_a_server_that_cannot_be_reached(postgresql_server: Server, tmp_path: Path) -> None:
    """What stands against it is told."""
    assert "authentication failed" in await refused(postgresql_server.url("postgres", "hush-wrong"))
    assert 'database "none" does not exist' in await refused(postgresql_server.url("none"))
    nobody = "postgresql://lars:hush@127.0.0.1:1/control"
    assert "PostgreSQL at 127.0.0.1:1, database control: " in await refused(nobody)


async def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    """Nor read: what stands against it is told."""
    assert "Not a directory" in await refused("sqlite+aiosqlite:////dev/null/control.db")
    (tmp_path / "other").write_bytes(b"not a database at all" * 100)
    threads = threading.active_count()
    assert "file is not a database" in await refused(f"sqlite+aiosqlite:///{tmp_path}/other")
    wait_until(lambda: threading.active_count() == threads, "the end of the connection's thread", 10)


async def test_a_database_that_stays_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that waits too long is refused; readers are not concerned."""
    monkeypatch.setattr("service.control.database._PRAGMAS", ("busy_timeout = 50",))
    settings = Settings.from_env({"LARS_DATA_ROOT": str(tmp_path)})
    await prepare(settings)
    other = Database(settings.database_url)
    try:
        async with open_control(settings) as control, other.writing() as writer:
            await writer.execute(text("SELECT 1"))
            with pytest.raises(ControlUnavailable) as caught:
                await control.keys.add(SPEC, BY)
            assert await control.keys.list() == ()
    finally:
        await other.close()
    assert "database is locked" in caught.value.reason


async def test_more_at_once_than_connections(control: Control) -> None:
    """They wait for their turn."""
    await asyncio.gather(*(control.keys.add(SPEC, BY) for _ in range(12)))
    assert len(await control.keys.list()) == 12
    assert (await control.check_audit()).count == 12
