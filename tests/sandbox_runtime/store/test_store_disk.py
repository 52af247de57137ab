"""A disk without room, and one that fails, are told apart from a session that is full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import NoStorage
from tests.shortage import no_file_above

ROOT = Path(__file__).parents[3]
# A disk of its own, for an ordinary user too: a tmpfs in a namespace of this process alone.
FILL = """
import os, sys
from sandbox_runtime.store.database import SessionDatabase
from sandbox_runtime.store.errors import StoreError

database = SessionDatabase("data.db", quota=int(sys.argv[1]))
with database.transaction() as session:
    session.collection("kept").insert({"n": 0})
kept = 0
try:
    while True:
        with database.transaction() as session:
            session.collection("kept").insert({"t": "x" * 20_000})
        kept += 1
except StoreError as error:
    met = type(error).__name__
print(met, kept > 3)
with database.transaction(write=False) as session:
    print(session.collection("kept").list(limit=0)[1] == kept + 1)
if met == "NoStorage":
    os.unlink("filler")
    with database.transaction() as session:
        print(session.collection("kept").insert({"t": "x" * 20_000})["id"] == kept + 2)
"""
_MOUNTED = 'mount -t tmpfs -o size=2m tmpfs "$1" && cd "$1" && head -c 500000 /dev/zero > filler && '
ON_A_DISK = (
    *("unshare", "--user", "--map-root-user", "--mount"),
    *("sh", "-c", _MOUNTED + 'exec "$2" -c "$3" "$4"', "sh"),
)


def filled(directory: Path, quota: int) -> list[str]:
    """What is said when a session of this quota fills up on a disk of two megabytes."""
    done = subprocess.run(
        [*ON_A_DISK, str(directory), sys.executable, FILL, str(quota)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_disk_that_is_full_is_no_full_session(tmp_path: Path) -> None:
    assert filled(tmp_path, 64 << 20) == ["NoStorage", "True", "True", "True"]


def test_a_full_session_on_a_disk_with_room(tmp_path: Path) -> None:
    assert filled(tmp_path, 400_000) == ["QuotaExceeded", "True", "True"]


def test_what_else_the_disk_refuses(tmp_path: Path) -> None:
    """As a quota of the file system does, or one that is read-only or fails."""
    database = SessionDatabase(str(tmp_path / "data.db"))
    with database.transaction() as session:
        session.collection("kept").insert({"n": 1})
    with (
        no_file_above(64 << 10),
        pytest.raises(NoStorage, match="disk I/O error"),
        database.transaction() as session,
    ):
        session.collection("kept").insert_many([{"t": "x" * 1000}] * 200)
    with database.transaction() as session:
        assert session.collection("kept").insert({"n": 2})["id"] == 2
    database.close()
