"""A control database of each kind, empty or made and open."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.control.control import Control, open_control
from service.control.migrate import prepare
from service.settings import Settings
from tests.postgresql import Server

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of SQLite that is up to date; copy it."""
    root = tmp_path_factory.mktemp("made")
    asyncio.run(prepare(Settings.from_env({"LARS_DATA_ROOT": str(root)})))
    return root / "control.db"


@pytest.fixture(scope="session")
def made_database(postgresql_server: Server) -> str:
    """The name of a database of PostgreSQL that is up to date; copy it."""
    name = postgresql_server.make_database()
    asyncio.run(prepare(Settings.from_env({"LARS_DATABASE_URL": postgresql_server.url(name)})))
    return name


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Settings that name a database without tables."""
    found = {"LARS_DATA_ROOT": str(tmp_path / "data")}
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql_server")
        found["LARS_DATABASE_URL"] = server.url(server.make_database())
    return found


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Settings that name a database that is up to date and holds nothing."""
    root = tmp_path / "data"
    root.mkdir(mode=0o700)
    found = {"LARS_DATA_ROOT": str(root)}
    if request.param == "postgresql":
        template: str = request.getfixturevalue("made_database")
        server: Server = request.getfixturevalue("postgresql_server")
        found["LARS_DATABASE_URL"] = server.url(server.make_database(template))
    else:
        shutil.copy(request.getfixturevalue("made_file"), root)
    return found


@pytest.fixture
async def control(made: dict[str, str]) -> AsyncIterator[Control]:
    """That database, open."""
    async with open_control(Settings.from_env(made)) as opened:
        yield opened
