"""The short way to a file of SQLite: it makes what Alembic makes, and leaves alone what is not as usual."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from service.control.control import open_control
from service.control.migrate import prepare
from service.control.sqlite_file import any_key
from service.handover import hand_over
from service.settings import Settings
from tests.service.control.made import BY, SPEC

ROOT = Path(__file__).resolve().parents[3]


def dump(path: Path) -> list[str]:
    """Everything that is in it, and the pragma that the file remembers."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        return [mode, *connection.iterdump()]


def change(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "control.db"


def test_it_makes_what_the_steps_make(made_file: Path, path: Path) -> None:
    """After a new step: python -m service.control.schema > service/control/schema.sql."""
    assert any_key(path) is False
    assert dump(path) == dump(made_file)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_what_it_has_made_is_up_to_date(path: Path) -> None:
    assert any_key(path) is False
    before = dump(path)
    settings = Settings.from_env({"LARS_DATA_ROOT": str(path.parent)})
    await prepare(settings)
    assert dump(path) == before
    async with open_control(settings) as control:
        key, _ = await control.keys.add(SPEC, BY)
        assert any_key(path) is True
        await control.keys.revoke(key.id, BY)
        assert any_key(path) is True
        assert (await control.check_audit()).fault is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lars_version SET version_num = '9999'",
        "UPDATE lars_version SET version_num = '0001'",
        "DELETE FROM lars_version",
        "DROP TABLE lars_version",
        "DROP TABLE lars_keys",
    ],
)
def test_any_other_version_is_left_alone(statement: str, path: Path) -> None:
    assert any_key(path) is False
    change(path, statement)
    before = dump(path)
    assert any_key(path) is None
    assert dump(path) == before


def test_tables_of_another_program_are_left_alone(path: Path) -> None:
    path.parent.mkdir()
    change(path, "CREATE TABLE theirs (x)")
    before = dump(path)
    assert any_key(path) is None
    assert dump(path) == before


def test_what_cannot_be_a_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all" * 100)
    assert any_key(path) is None
    assert any_key(Path("/dev/null/control.db")) is None
    assert any_key(path.parent) is None


def test_a_mode_that_was_widened_is_put_right(path: Path) -> None:
    assert any_key(path) is False
    path.chmod(0o644)
    assert any_key(path) is False
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_both_ways_at_once(path: Path) -> None:
    """Of processes that all find nothing, one makes it."""
    environ = {**os.environ, "LARS_DATA_ROOT": str(path.parent)}
    secrets = hand_over({})
    short = [sys.executable, "-m", "service.access.prepare_child", str(secrets)]
    thorough = [sys.executable, "-m", "service.control.migrate"]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=pipe, stderr=pipe, pass_fds=(secrets,))
        for command in (thorough, short, short)
    ]
    said = [process.communicate(timeout=50) for process in processes]
    os.close(secrets)
    found = b'{"keys":false,"absent":null}'
    assert said == [(b"", b""), (found, b""), (found, b"")]
    assert any_key(path) is False


def test_the_usual_start_loads_no_sqlalchemy(path: Path) -> None:
    """Which takes longer than all the rest of it; neither with a database, nor without."""
    program = (
        "import sys; from service.access import prepare_child; assert prepare_child.main() == 0; "
        "print(sorted({'sqlalchemy', 'alembic', 'asyncio'} & set(sys.modules)))"
    )
    for _ in range(2):
        secrets = hand_over({})
        done = subprocess.run(
            [sys.executable, "-c", program, str(secrets)],
            cwd=ROOT,
            env={**os.environ, "LARS_DATA_ROOT": str(path.parent)},
            pass_fds=(secrets,),
            capture_output=True,
            check=True,
        )
        os.close(secrets)
        assert done.stdout == b'{"keys":false,"absent":null}[]\n'
