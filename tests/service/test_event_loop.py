"""A front's event loop never blocks: the application over a real sandbox, every blocking call forbidden."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from blockbuster import BlockBuster, BlockingError

from service.app import create_app
from service.env_file import load_env_file
from service.limits.store import open_store
from service.pool.local import local_sandbox
from service.pool.pool import PoolSize
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.state import new_passage, new_state

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
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The application over one real sandbox."""
    async with local_sandbox(sandbox_spec(SETTINGS), PoolSize(1, 4, 8)) as sandbox:
        settings = dataclasses.replace(SETTINGS, data_root=tmp_path)
        state = new_state(settings, sandbox.pool, new_passage(settings, await open_store("memory")))
        state.sandbox.layers, state.sandbox.modules = sandbox.hello.layers, sandbox.hello.modules
        sandbox.attach(state.sessions.workers)
        app = create_app(state)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=20) as client:
            yield client
        await state.close()


async def execute(client: httpx.AsyncClient, body: dict[str, object]) -> Any:
    answer = await client.post("/execute", json=body)
    return answer.json()


async def use_a_session(client: httpx.AsyncClient) -> None:
    """One request of each kind that sessions answer."""
    own = {"X-Session-ID": "guarded"}
    requests = (
        ("POST", "/posts", {"title": "a"}, 201),
        ("GET", "/posts/1", None, 200),
        ("GET", "/posts?title=a", None, 200),
        ("PATCH", "/posts/1", {"n": 1}, 200),
        ("GET", "/_/sessions/guarded", None, 200),
        ("PATCH", "/_/sessions/guarded", {"dialect": "default"}, 200),
        ("GET", "/_/sessions/guarded/export", None, 200),
        ("POST", "/_/sessions/guarded/fork", None, 201),
        ("POST", "/_/sessions/guarded2/import", {"posts": [{"id": 1}]}, 200),
        ("GET", "/openapi.json", None, 200),
        ("GET", "/_/plans", None, 200),
        ("GET", "/_/plans/none", None, 404),
        ("DELETE", "/_/sessions/guarded", None, 204),
    )
    for method, path, body, status in requests:
        answer = await client.request(method, path, json=body, headers=own)
        assert answer.status_code == status, (method, path, answer.text)


async def test_nothing_that_a_front_does_blocks(client: httpx.AsyncClient, loop_guard: BlockBuster) -> None:
    for body, verdict in PROGRAMS.values():
        assert (await execute(client, body))["verdict"] == verdict
    answers = await asyncio.gather(*(execute(client, {"code": "result = 1"}) for _ in range(8)))
    assert [answer["result"] for answer in answers] == [1] * 8
    for path in ("/health", "/healthz", "/readyz", "/capabilities", "/openapi.json", "/docs", "/redoc"):
        assert (await client.get(path)).status_code == 200
    assert (await client.post("/execute", content=b"{")).status_code == 415
    await use_a_session(client)
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
