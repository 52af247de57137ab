"""A service, and clients of it with a session each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.rest.clients import client_of
from tests.supervisor.serving import Service, serving

Open = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests of a file; each has sessions of its own."""
    with serving(tmp_path_factory.mktemp("service"), LARS_FRONTS="2", LARS_SESSION_QUOTA="4m") as service:
        yield service


@pytest.fixture
def client(service: Service, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client with a session that nobody else has."""
    with client_of(service, request.node.nodeid) as client:
        yield client
