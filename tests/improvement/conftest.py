"""A service for all tests of improvements; each has contracts of its own."""

from __future__ import annotations

import pytest

from tests.functions.api import Api, hash_of


@pytest.fixture(scope="session")
def api(functions_api: Api) -> Api:
    """One for all files."""
    return functions_api


@pytest.fixture
def contract(request: pytest.FixtureRequest) -> str:
    """A visible_pixel_hash that nobody else has."""
    return hash_of(request.node.nodeid)
