"""The key of the audit log: a setting, or a file that is made once."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from service.control.audit_key import audit_key
from service.control.refusal import ControlRefused
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
PRINT = (
    "import os; from service.settings import Settings; from service.control.audit_key import audit_key; "
    "print(audit_key(Settings.from_env(os.environ)).hex())"
)


def key_of(root: Path, **more: str) -> bytes:
    return audit_key(Settings.from_env({"LARS_DATA_ROOT": str(root), **more}))


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_a_file_is_made_once(tmp_path: Path, umask: int) -> None:
    """Random, its owner's only, and with nothing left beside it."""
    before = os.umask(umask)
    try:
        key = key_of(tmp_path)
    finally:
        os.umask(before)
    assert len(key) == 32
    assert key_of(tmp_path) == key == (tmp_path / "audit.key").read_bytes()
    assert stat.S_IMODE((tmp_path / "audit.key").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["audit.key"]
    assert key_of(tmp_path / "other") != key


def test_processes_at_once_agree(tmp_path: Path) -> None:
    """Whoever is first makes it."""
    environ = {**os.environ, "LARS_DATA_ROOT": str(tmp_path)}
    command = [sys.executable, "-c", PRINT]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, cwd=ROOT, env=environ, stdout=pipe, text=True) for _ in range(4)]
    keys = {process.communicate(timeout=50)[0] for process in running}
    assert keys == {f"{(tmp_path / 'audit.key').read_bytes().hex()}\n"}
    assert os.listdir(tmp_path) == ["audit.key"]


def test_the_setting_wins(tmp_path: Path) -> None:
    """And no file is made."""
    assert key_of(tmp_path, LARS_AUDIT_KEY="k" * 32) == b"k" * 32
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_no_key(tmp_path: Path) -> None:
    """Is not replaced: what it sealed could not be checked any more."""
    (tmp_path / "audit.key").write_bytes(b"short")
    with pytest.raises(ControlRefused, match="5 bytes"):
        key_of(tmp_path)
    assert (tmp_path / "audit.key").read_bytes() == b"short"


def test_a_file_that_cannot_be_made() -> None:
    """The path, the reason and the remedy are told."""
    with pytest.raises(ControlRefused, match=r"/dev/null/audit.key: Not a directory.*LARS_AUDIT_KEY"):
        key_of(Path("/dev/null"))
