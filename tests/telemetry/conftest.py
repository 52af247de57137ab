"""One service that is watched: two fronts, a model's stand-in, and a collector of traces."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from service.control.control import open_control
from service.functions.figures import Tally, VersionKey
from service.settings import Settings
from tests.planner.collector import Collector
from tests.service_process import Service, running_service

ENVIRON = {
    "LARS_FRONTS": "2",
    "LARS_DEFAULT_SESSION": "mine",
    "LARS_SESSION_QUOTA": "4m",
    "LLM_MOCK_HANDLER": "tests.planner.mocks.echo",
    "LARS_LLM_PRICES": "mock=1/2/0.5",
    "OTEL_BSP_SCHEDULE_DELAY": "100",  # of the planner, which else batches for five seconds
}


@dataclass(frozen=True, slots=True)
class Watched:
    """A service that has answered requests of most kinds."""

    service: Service
    collector: Collector
    client: httpx.Client


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """For tests that leave it in order."""
    with Collector() as collector:
        environ = {**ENVIRON, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        with (
            running_service(tmp_path_factory.mktemp("watched"), environ) as service,
            service.client() as client,
        ):
            _use(client)
            _add_figures(service)
            yield Watched(service, collector, client)


def _use(client: httpx.Client) -> None:
    asked = (
        client.post("/execute", json={"code": "print(1)"}),
        client.post("/execute", json={"code": "while True: pass", "timeout": 0.1}),
        client.post("/generate-and-execute", json={"query": "ten"}),
        client.post("/notes", json={"text": "one"}),
        client.get("/notes/1"),
        client.get("/notes/1"),
        client.get("/execute"),
        client.request("PROPFIND", "/notes"),
        client.delete("/_/sessions/mine"),
    )
    assert [answer.status_code for answer in asked] == [200, 200, 200, 201, 200, 200, 405, 405, 204]


def _add_figures(service: Service) -> None:
    """As if a function had been called, for which the service would need a key."""

    async def add() -> None:
        settings = Settings.from_env({"LARS_DATA_ROOT": str(service.log.parent / "data")})
        async with open_control(settings) as control:
            tally = Tally({"ok": 5}, cpu=0.5, run=0.1, runs={30: 5})
            await control.figures.add({VersionKey("d" * 40, "hello", 1): tally})

    asyncio.run(add())
