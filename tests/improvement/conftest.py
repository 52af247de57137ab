"""A service for all tests of improvements; each has contracts of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functions.api import Api, functions_service, hash_of


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One for all files, of two fronts."""
    with functions_service(tmp_path_factory.mktemp("improvement")) as api:
        yield api


@pytest.fixture
def contract(request: pytest.FixtureRequest) -> str:
    """A visible_pixel_hash that nobody else has."""
    return hash_of(request.node.nodeid)
