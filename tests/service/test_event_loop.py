"""A front's event loop never blocks: the application over a real sandbox, every blocking call forbidden."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from blockbuster import BlockBuster, BlockingError

from service.app import create_app
from service.env_file import load_env_file
from service.pool.local import local_sandbox
from service.pool.pool import PoolSize
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.state import Sandbox, ServiceState

SETTINGS = Settings.from_env({"LARS_MAX_OUTPUT_BYTES": "64k"})
PROGRAMS: dict[str, tuple[dict[str, object], str]] = {
    "ok": ({"code": "result = 42"}, "ok"),
    "data": ({"code": "result = data", "data": list(range(1000))}, "ok"),
    "large output": ({"code": "print('x' * 1_000_000)"}, "ok"),
    "exception": ({"code": "1/0"}, "exception"),
    "timeout": ({"code": "import time; time.sleep(9)", "timeout": 0.3}, "timeout"),
    "cpu": ({"code": "while True: pass", "timeout": 5, "cpu_limit": 0.05}, "cpu"),
    "signal": ({"code": "import os; os.kill(os.getpid(), 9)"}, "signal"),
    "forged": ({"code": "import os; os.write(3, b'x' * 99)"}, "signal"),
}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """The application over one real sandbox."""
    async with local_sandbox(sandbox_spec(SETTINGS), PoolSize(1, 4, 8)) as sandbox:
        layers = Sandbox(sandbox.hello.layers, sandbox.hello.modules)
        app = create_app(ServiceState(SETTINGS, sandbox.pool, layers))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://lars", timeout=20) as client:
            yield client


async def execute(client: httpx.AsyncClient, body: dict[str, object]) -> Any:
    answer = await client.post("/execute", json=body)
    return answer.json()


async def test_nothing_that_a_front_does_blocks(client: httpx.AsyncClient, loop_guard: BlockBuster) -> None:
    for body, verdict in PROGRAMS.values():
        assert (await execute(client, body))["verdict"] == verdict
    answers = await asyncio.gather(*(execute(client, {"code": "result = 1"}) for _ in range(8)))
    assert [answer["result"] for answer in answers] == [1] * 8
    for path in ("/health", "/healthz", "/readyz", "/capabilities", "/openapi.json"):
        assert (await client.get(path)).status_code == 200
    assert (await client.post("/execute", content=b"{")).status_code == 415
    json_type = {"Content-Type": "application/json"}
    assert (await client.post("/execute", content=b"{", headers=json_type)).status_code == 400


async def test_the_guard_fires(loop_guard: BlockBuster, tmp_path: Path) -> None:
    """The control: a function of ours that reads a file, called on a loop."""
    file = tmp_path / "settings.env"
    file.write_text("LARS_PORT=1\n")
    with pytest.raises(BlockingError):
        load_env_file(file)


def test_the_guard_lets_the_same_pass_off_the_loop(loop_guard: BlockBuster, tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("LARS_PORT=1\n")
    assert load_env_file(file) == {"LARS_PORT": "1"}
