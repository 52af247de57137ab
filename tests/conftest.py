"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

from tests.alone import ALONE, FIRST
from tests.functions.api import Api, functions_service, hash_of
from tests.postgresql import Server, binaries, postgresql

# How long an example takes says something of the machine, and nothing of what is tested.
settings.register_profile("lars", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lars")

# Where a front may make a call that could block, and why it does not.
_ALLOWED = (
    # One line of log, to a file that the operator chose as for every server, or what there is room for.
    ("os.write", "service/telemetry/sink.py", "_some"),
    ("os.write", "service/telemetry/sink.py", "_at_once"),
    # proc_pid_fdinfo(5) is made in memory by the kernel.
    ("os.read", "service/pool/cpu_clock.py", "_pid_of"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what must run alone; begin with what takes long."""
    for item in items:
        if item.nodeid.startswith(ALONE):
            item.add_marker("alone")
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


@pytest.fixture
def loop_guard() -> Iterator[BlockBuster]:
    """While it is in force, a blocking call of our code on an event loop raises BlockingError."""
    with blockbuster_ctx(scanned_modules=["service", "sandbox_runtime"]) as guard:
        for function, file, caller in _ALLOWED:
            guard.functions[function].can_block_in(file, caller)
        yield guard


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A service whose functions tests load and call, each in contracts of its own: to start it takes longer
    than most of them."""
    with functions_service(tmp_path_factory.mktemp("functions")) as running:
        yield running


@pytest.fixture
def contract(request: pytest.FixtureRequest) -> str:
    """A visible_pixel_hash that nobody else has."""
    return hash_of(request.node.nodeid)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """One for all tests; each makes its own database."""
    programs = binaries()
    if programs is None:
        pytest.skip(
            "PostgreSQL is not installed: no /usr/lib/postgresql/*/bin/initdb (apt install postgresql)"
        )
    with postgresql(programs) as server:
        yield server
