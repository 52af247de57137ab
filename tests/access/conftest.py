"""A service with keys, on two fronts, for tests that change none of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.access.keyed import Keyed, keyed_service


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """One key of each scope, and one that has them all."""
    with keyed_service(tmp_path_factory.mktemp("keyed"), LARS_FRONTS="2") as service:
        yield service
