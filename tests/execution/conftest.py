"""One running service for every module here that does not need a service of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service_process import Service, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With its default settings; its end is checked too."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running
