"""A control database that has been lost is not made anew without a word: the keys were in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from service.control.lost import refuse_to_lose
from service.control.migrate import prepare
from service.control.refusal import ControlRefused
from service.settings import Settings
from tests.access.keyed import lars, make_key
from tests.supervisor.serving import running


def settings_of(root: Path, **more: str) -> Settings:
    return Settings.from_env({"LARS_DATA_ROOT": str(root), **more})


@pytest.mark.parametrize("left", [None, b""])
async def test_what_is_lost_is_told(tmp_path: Path, left: bytes | None) -> None:
    """Removed, or cut to nothing: by a command as by the service. Nothing is made in its place."""
    make_key(tmp_path)
    database = tmp_path / "control.db"
    database.unlink()
    if left is not None:
        database.write_bytes(left)
    with pytest.raises(ControlRefused, match=r"control\.db is missing or empty, .* restore it from a backup"):
        await prepare(settings_of(tmp_path))
    refused = lars(tmp_path, "keys", "list")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"moving {tmp_path}/audit.key elsewhere" in refused.stderr
    assert database.exists() == (left is not None)
    (tmp_path / "audit.key").rename(tmp_path / "former.key")
    assert lars(tmp_path, "keys", "list").returncode == 0


def test_a_service_does_not_open_for_it(tmp_path: Path) -> None:
    make_key(tmp_path / "data")
    (tmp_path / "data" / "control.db").unlink()
    with running([sys.executable, "-m", "service", "serve", "--port", "0"], tmp_path) as service:
        assert service.popen.wait(20) == 1
        assert "control.db is missing or empty" in service.errors


@pytest.mark.parametrize(
    "more",
    [
        {"LARS_DATABASE_URL": "postgresql://127.0.0.1/lars"},
        {"LARS_DATABASE_URL": "sqlite+aiosqlite:////dev/full"},
    ],
)
def test_what_is_not_known_to_be_lost(tmp_path: Path, more: dict[str, str]) -> None:
    """A server's database may be another one; what is no file says so itself."""
    (tmp_path / "audit.key").write_bytes(b"k" * 32)
    refuse_to_lose(settings_of(tmp_path, **more))


def test_a_first_start(tmp_path: Path) -> None:
    """Neither is there; or the tables are, and the key not yet."""
    refuse_to_lose(settings_of(tmp_path / "none"))
    (tmp_path / "control.db").write_bytes(b"x")
    refuse_to_lose(settings_of(tmp_path))
    refuse_to_lose(settings_of(tmp_path, LARS_AUDIT_KEY="k" * 32))
