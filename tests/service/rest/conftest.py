"""Fixtures for plans: a session of each dialect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.rest.sessions import Session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """An empty session of the default dialect."""
    made = Session(tmp_path)
    yield made
    made.close()


@pytest.fixture
def json_server(tmp_path: Path) -> Iterator[Session]:
    """An empty session of the json-server dialect."""
    made = Session(tmp_path, "json-server")
    yield made
    made.close()
