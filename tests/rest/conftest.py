"""A service, and clients of it with a session each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from service.pool.local import LocalSandbox, local_sandbox
from service.pool.pool import PoolSize
from tests.rest.clients import client_of
from tests.rest.in_process import Front, Place
from tests.rest.stand_in import StandIn
from tests.supervisor.serving import Service, serving
from tests.support import default_spec

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[LocalSandbox]:
    """One for all tests of a file, which share its event loop."""
    async with local_sandbox(default_spec(), PoolSize(1, 4, 8)) as sandbox:
        yield sandbox


@pytest.fixture
def place(sandbox: LocalSandbox, tmp_path: Path) -> Place:
    """Where the test makes its fronts."""
    return Place(sandbox, tmp_path)


@pytest_asyncio.fixture(loop_scope="module")
async def modelled(place: Place) -> AsyncIterator[tuple[Front, StandIn]]:
    """A front with one order in the session of its requests, and its model."""
    stand_in = StandIn()
    async with place.modelled(stand_in) as front:
        assert (await front.send("POST", "/orders", {"name": "one"})).status == 201
        yield front, stand_in
