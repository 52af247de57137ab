"""Two services for all: one front, which everything hostile is beside; and two, which must agree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functions.hostile.served import Served, serving

_SETTINGS = {"LARS_MEMORY": "128m", "LARS_CONTRACT_WORKERS": "120", "LARS_MAX_EXEC_MS": "2500"}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With one front."""
    with serving(tmp_path_factory.mktemp("hostile"), **_SETTINGS) as service:
        yield service


@pytest.fixture(scope="session")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With two fronts."""
    with serving(tmp_path_factory.mktemp("fronts"), LARS_FRONTS="2", **_SETTINGS) as service:
        yield service
