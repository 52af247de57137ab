"""A front in the loop of the test: a real sandbox, real connections, and a planner that plays a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from service.app import create_app
from service.control.control import open_control
from service.control.migrate import prepare
from service.http.connections import Connections
from service.http.limits import Limits
from service.http.protocol import bounded
from service.limits.store import open_store
from service.pool.local import LocalSandbox, local_sandbox
from service.pool.pool import PoolSize
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.state import ServiceState, new_passage, new_state
from tests.generation.scripted_planner import ScriptedPlanner
from tests.service.http.serving import served
from tests.service_process import NO_TLS

SETTINGS = {"LARS_DEFAULT_PROVIDER": "openai", "LARS_LLM_TIMEOUT": "20"}
GENERATE = "/generate-and-execute"


@dataclass(frozen=True, slots=True)
class Desk:
    """One front, and the planner behind it."""

    state: ServiceState
    sandbox: LocalSandbox
    planner: ScriptedPlanner
    client: httpx.AsyncClient

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.client.base_url.port or 0

    async def post(self, path: str, **body: Any) -> httpx.Response:
        """One request."""
        return await self.client.post(path, json=body)

    async def generated(self, **body: Any) -> dict[str, Any]:
        """The reply to a question whose program ran."""
        answer = await self.post(GENERATE, **{"query": "print something", **body})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def reviewed(self, code: str, **body: Any) -> dict[str, Any]:
        """The reply to a program that is to be reviewed, and ran."""
        answer = await self.post("/execute", code=code, **{"validate_code": True, **body})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@asynccontextmanager
async def open_desk(directory: Path) -> AsyncIterator[Desk]:
    """Until the block ends; nothing is left."""
    settings = Settings.from_env({**SETTINGS, "LARS_DATA_ROOT": str(directory)})
    await prepare(settings)
    async with (
        local_sandbox(sandbox_spec(settings), PoolSize(1, 4, 8)) as sandbox,
        open_control(settings) as control,
    ):
        state = new_state(settings, sandbox.pool, new_passage(settings, await open_store("memory")), control)
        planner = ScriptedPlanner()
        await planner.attach(state.planning.line)
        protocol = bounded(Connections(Limits.of(settings)))
        async with served(create_app(state), protocol) as port:
            url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False, verify=NO_TLS) as client:
                yield Desk(state, sandbox, planner, client)
        await planner.leave()
        await state.close()
        await asyncio.sleep(0)
